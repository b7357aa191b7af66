//! The training loop with a real network on the CPU executor: it learns, and it resumes to the same bits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use hqcc::cpu::CpuExecutor;
use hqcc::data::{Batch, Cases, DataSettings, Dataset, Phantom, Preprocessing, Source};
use hqcc::train::checkpoint::{self, Position};
use hqcc::train::folder::RunFolder;
use hqcc::train::log::{self, Record};
use hqcc::train::network::Network;
use hqcc::train::run_loop::{Ending, Run, Schedule, replay};
use hqcc::train::samples::SliceSamples;
use hqcc::weights::Weights;
use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::experiment::Keep;
use hqcc_compiler::measures::MEASURES;
use hqcc_compiler::program::{EVALUATE, Program, TRAIN};
use hqcc_tests::networks;

const SIDE: usize = 16;
const BATCH: usize = 4;
const SEED: u64 = 5;
const EPOCHS: u64 = 4;

/// Two convolutions with a batch norm and dropout between them.
const NETWORK: &str = "
    model M {
      input ct: [1, H, W]
      first = conv(ct, 6)
      norm = batch_norm(first)
      dropped = dropout(relu(norm))
      head = conv(dropped, 1)
      output head
    }
    train { model = M(), loss = bce + dice, optim = adam(lr = 3e-2), batch = 4 }";

fn compiled() -> Compiled<'static> {
    let texts = BTreeMap::from([("small.hqc".to_owned(), NETWORK.to_owned())]);
    let size = Size {
        batch: BATCH,
        channels: 1,
        height: SIDE,
        width: SIDE,
    };
    let compiled = networks::compiled(texts, "small.hqc", &[], Some(size));
    let compiled = compiled.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(compiled.study().train.batch, BATCH);
    compiled
}

fn program(samples: &SliceSamples) -> Program {
    let (train, test) = (samples.dataset.train.len(), samples.dataset.test.len());
    let program = compiled().program(train, test);
    program.unwrap_or_else(|errors| panic!("{errors:?}"))
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
    let dataset = Dataset::open(&settings, Path::new("."), &|_| {}).expect("phantoms need no file");
    assert!(
        !dataset.train.len().is_multiple_of(BATCH) || !dataset.test.len().is_multiple_of(BATCH),
        "a smaller batch is part of the test"
    );
    SliceSamples {
        dataset,
        batch: BATCH,
        seed: SEED,
    }
}

fn loaded(samples: &SliceSamples) -> Network {
    Network::load(
        Box::new(CpuExecutor::<f32>::new()),
        &program(samples),
        &compiled().study().train.optim,
        SEED,
        &[TRAIN, EVALUATE],
    )
    .expect("it fits")
}

fn train(samples: &SliceSamples, folder: &RunFolder, stop_after: u64, resume: bool) -> Ending {
    let mut learner = loaded(samples);
    let mut position = Position::start(SEED);
    if resume {
        let (state, known) = checkpoint::load(&folder.last()).expect("the checkpoint is whole");
        learner.restore(&state).expect("the checkpoint fits");
        position = known;
    } else {
        learner.initialise(SEED).expect("the state is there");
    }
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > stop_after
    };
    let schedule = Schedule {
        epochs: EPOCHS,
        measures: MEASURES.iter().collect(),
        keep: Keep::Best(&MEASURES[0]),
        save_every: 0,
    };
    Run {
        learner: &mut learner,
        samples,
        schedule,
        folder,
        observer: &mut |_| {},
        stop: &stop,
    }
    .train(&mut position)
    .expect("training goes through")
}

fn products(folder: &RunFolder) -> Vec<Vec<u8>> {
    [
        "metrics.jsonl",
        "metrics.csv",
        "last.safetensors",
        "best.safetensors",
    ]
    .map(|name| std::fs::read(folder.path().join(name)).expect("the run leaves it"))
    .to_vec()
}

#[test]
fn the_node_that_blew_up_is_found() {
    let samples = samples();
    let mut learner = loaded(&samples);
    learner.initialise(SEED).expect("the state is there");
    let (mut state, mut batch) = replay(&mut learner, &samples, &Position::start(SEED), 2)
        .expect("one step is run again")
        .expect("an epoch has two steps");
    let program = program(&samples);
    let blame = |state: &Weights, batch: &Batch| {
        let found = learner
            .blame(&program, state, 2, batch)
            .expect("the CPU walks the step");
        found.map(|culprit| culprit.node)
    };
    assert_eq!(blame(&state, &batch), None);
    let good = state.clone();
    let gamma = state
        .get_mut("norm.weight")
        .expect("a batch norm has a scale");
    gamma.data_mut()[3] = f32::MAX;
    assert_eq!(blame(&state, &batch).as_deref(), Some("norm"));
    batch.images.data_mut()[7] = f32::NAN;
    assert_eq!(blame(&good, &batch).as_deref(), Some("first"));
}

#[test]
fn a_network_learns_and_resumes_to_the_same_bits() {
    let samples = samples();
    let root = tempfile::tempdir().expect("a temporary folder");
    let whole = RunFolder::create(root.path(), "whole").expect("a folder");
    assert_eq!(train(&samples, &whole, u64::MAX, false), Ending::Finished);

    let losses: Vec<f64> = log::read(whole.path())
        .expect("the metrics are there")
        .iter()
        .filter_map(|r| {
            if let Record::Epoch { loss, .. } = r {
                Some(*loss)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(losses.len() as u64, EPOCHS);
    assert!(losses[3] < 0.8 * losses[0], "{losses:?}");

    for stop_after in [1, 4, 9] {
        let cut = RunFolder::create(root.path(), "cut").expect("a folder");
        assert_eq!(
            train(&samples, &cut, stop_after, false),
            Ending::Interrupted
        );
        assert_eq!(train(&samples, &cut, u64::MAX, true), Ending::Finished);
        assert!(
            products(&cut) == products(&whole),
            "stopped after {stop_after}"
        );
    }
}
