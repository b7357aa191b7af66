//! Each hybrid network, at a small width, learns on phantoms.

use std::path::Path;

use hqcc::cpu::CpuExecutor;
use hqcc::data::{Cases, DataSettings, Dataset, Phantom, Preprocessing, Source};
use hqcc::executor::Executor;
use hqcc::train::checkpoint::Position;
use hqcc::train::folder::RunFolder;
use hqcc::train::log::{self, Record};
use hqcc::train::network::Network;
use hqcc::train::run_loop::{Ending, Run, Schedule};
use hqcc::train::samples::SliceSamples;
use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::experiment::Keep;
use hqcc_compiler::measures::MEASURES;
use hqcc_compiler::program::{EVALUATE, TRAIN};
use hqcc_tests::networks;

use crate::gpu;

const SIDE: usize = 32;
const BATCH: usize = 4;
const SEED: u64 = 3;

/// The experiments and the settings that make them small.
pub const EXPERIMENTS: [(&str, &[&str]); 5] = [
    ("qunet.hqc", &["model.base=4"]),
    (
        "qunetpp.hqc",
        &["model.base=4", "model.widths=[16, 8, 8, 8, 8]"],
    ),
    ("qunext.hqc", &["model.widths=[4, 8, 8, 16, 16]"]),
    ("qmsnet.hqc", &["model.base=8", "model.units=[1, 1, 1, 1]"]),
    (
        "qtransunet.hqc",
        &[
            "model.layers=1",
            "model.hidden=32",
            "model.mlp=48",
            "model.heads=2",
            "model.units=[1, 1, 1]",
            "model.base=32",
            "model.bottom=16",
            "model.widths=[16, 8, 8, 8]",
        ],
    ),
];

/// An experiment on small batches with a learning rate for few steps.
fn compiled(file: &str, settings: &[&str]) -> Compiled<'static> {
    let size = Size {
        batch: BATCH,
        channels: 1,
        height: SIDE,
        width: SIDE,
    };
    let batch = format!("train.batch={BATCH}");
    let settings = [settings, &[&batch, "train.optim.lr=1e-2"]].concat();
    networks::experiment(file, &settings, Some(size)).unwrap_or_else(|e| panic!("{e}"))
}

fn samples() -> SliceSamples {
    let settings = DataSettings {
        source: Source::Phantom(Phantom {
            slices: 12,
            pixels: 48,
            ..Phantom::default()
        }),
        train: Cases::from(0..2),
        test: Cases::from(2..3),
        preprocessing: Preprocessing {
            size: [SIDE, SIDE],
            ..Preprocessing::default()
        },
        ..DataSettings::default()
    };
    SliceSamples {
        dataset: Dataset::open(&settings, Path::new("."), &|_| {}).expect("phantoms need no file"),
        batch: BATCH,
        seed: SEED,
    }
}

/// The mean losses of two epochs.
fn losses(file: &str, settings: &[&str], executor: Box<dyn Executor>) -> Vec<f64> {
    let samples = samples();
    let compiled = compiled(file, settings);
    let (train, test) = (samples.dataset.train.len(), samples.dataset.test.len());
    let program = compiled.program(train, test);
    let program = program.unwrap_or_else(|e| panic!("{file}: {e:?}"));
    let optimiser = &compiled.study().train.optim;
    let mut learner = Network::load(executor, &program, optimiser, SEED, &[TRAIN, EVALUATE])
        .unwrap_or_else(|e| panic!("{file}: {e}"));
    learner.initialise(SEED).expect("the state is there");
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(root.path(), "run").expect("a folder");
    let schedule = Schedule {
        epochs: 2,
        measures: MEASURES.iter().collect(),
        keep: Keep::Best(&MEASURES[0]),
        save_every: 0,
    };
    let ending = Run {
        learner: &mut learner,
        samples: &samples,
        schedule,
        folder: &folder,
        observer: &mut |_| {},
        stop: &|| false,
    }
    .train(&mut Position::start(SEED));
    assert_eq!(ending.expect("training goes through"), Ending::Finished);
    let records = log::read(folder.path()).expect("the metrics are there");
    let losses = records.iter().filter_map(|record| match record {
        Record::Epoch { loss, .. } => Some(*loss),
        _ => None,
    });
    losses.collect()
}

fn check(file: &str, losses: &[f64]) {
    println!("{file}: {losses:?}");
    let [first, second] = losses else {
        panic!("{file}: two epochs, not {losses:?}")
    };
    assert!(second < &(0.95 * first), "{file}: {losses:?}");
}

#[test]
fn every_hybrid_network_learns_on_the_cpu() {
    for (file, settings) in EXPERIMENTS {
        let executor = Box::new(CpuExecutor::<f32>::new());
        check(file, &losses(file, settings, executor));
    }
}

#[test]
fn every_hybrid_network_learns_on_the_gpu() {
    for (file, settings) in EXPERIMENTS {
        let Some(executor) = gpu() else { return };
        check(file, &losses(file, settings, Box::new(executor)));
    }
}
