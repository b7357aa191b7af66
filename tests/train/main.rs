//! The training loop with a real network on the CPU executor: it learns, and it resumes to the same bits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use hqcc::cpu::CpuExecutor;
use hqcc::data::{Cases, DataSettings, Dataset, Phantom, Preprocessing, Source};
use hqcc::train::checkpoint::{self, Position};
use hqcc::train::folder::RunFolder;
use hqcc::train::log::{self, Record};
use hqcc::train::network::{EVALUATE, Network, TRAIN};
use hqcc::train::progress::Reporter;
use hqcc::train::run_loop::{Batch, Ending, Run, Schedule, replay};
use hqcc::train::samples::SliceSamples;
use hqcc::weights::Weights;
use hqcc_compiler::experiment::Keep;
use hqcc_compiler::graph::{Graph, Input, NodeId};
use hqcc_compiler::measures::MEASURES;
use hqcc_compiler::ops::{Builder, LAYERS};
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::optimiser::Optimiser;
use hqcc_compiler::program::{Entry, FORMAT, Program};
use hqcc_compiler::setting::{SettingValue, Settings};
use hqcc_compiler::steps::{self, Recipe};
use hqcc_compiler::tensor_type::TensorType;

const SIDE: usize = 16;
const BATCH: usize = 4;
const SEED: u64 = 5;
const EPOCHS: u64 = 4;

fn layer(
    builder: &mut Builder<'_>,
    name: &str,
    path: &str,
    x: NodeId,
    given: &[(&'static str, i64)],
) -> NodeId {
    let info = LAYERS
        .iter()
        .find(|layer| layer.name == name)
        .expect("the layer is in the table");
    let mut settings = Settings::default();
    for setting in info.settings {
        let value = match setting.default {
            Some("auto") | None => continue,
            Some("true") => SettingValue::Bool(true),
            Some("false") => SettingValue::Bool(false),
            Some(text) => text
                .parse()
                .map(SettingValue::Int)
                .or_else(|_| text.parse().map(SettingValue::Float))
                .unwrap_or_else(|_| SettingValue::Word(text.into())),
        };
        settings.0.insert(setting.name, value);
    }
    settings.0.extend(
        given
            .iter()
            .map(|&(name, value)| (name, SettingValue::Int(value))),
    );
    builder.path = path.into();
    (info.build)(builder, &[x], &settings).expect("the layer fits")
}

/// Two convolutions with a batch norm and dropout between them.
fn network(batch: usize, training: bool) -> Graph {
    let mut graph = Graph::default();
    let ty = TensorType::image([batch, 1, SIDE, SIDE]);
    let x = graph.add(Input { ty }, &[], "ct").expect("an input");
    let builder = &mut Builder {
        graph: &mut graph,
        path: String::new(),
        training,
    };
    let x = layer(builder, "conv", "a.conv", x, &[("channels", 6)]);
    let x = layer(builder, "batch_norm", "a.norm", x, &[]);
    let x = layer(builder, "relu", "a.relu", x, &[]);
    let x = layer(builder, "dropout", "a.dropout", x, &[]);
    let head = layer(builder, "conv", "head", x, &[("channels", 1)]);
    graph.set_output("head", head);
    graph
}

fn optimiser() -> Optimiser {
    Optimiser::Adam {
        lr: 3e-2,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.0,
        decoupled: false,
    }
}

fn program(samples: &SliceSamples) -> Program {
    let loss = vec![(1.0, Loss::Bce), (1.0, Loss::Dice)];
    let recipe = Recipe {
        loss: loss.clone(),
        optimiser: optimiser(),
    };
    let mut entries = BTreeMap::new();
    for (split, role) in [
        (&samples.dataset.train, TRAIN),
        (&samples.dataset.test, EVALUATE),
    ] {
        for batch in [BATCH, split.len() % BATCH] {
            let graph = match role {
                _ if batch == 0 => continue,
                TRAIN => steps::train(network(batch, true), &[], &recipe),
                _ => steps::evaluate(network(batch, false), &[], &loss),
            };
            entries.insert(
                format!("{role}.{batch}"),
                Entry {
                    graph: graph.expect("the graph stands"),
                },
            );
        }
    }
    Program {
        format: FORMAT,
        model: "small".into(),
        entries,
    }
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
        &optimiser(),
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
    let reporter = &mut Reporter::silent();
    Run {
        learner: &mut learner,
        samples,
        schedule,
        folder,
        reporter,
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
        .get_mut("a.norm.weight")
        .expect("a batch norm has a scale");
    gamma.data_mut()[3] = f32::MAX;
    assert_eq!(blame(&state, &batch).as_deref(), Some("a.norm"));
    batch.images.data_mut()[7] = f32::NAN;
    assert_eq!(blame(&good, &batch).as_deref(), Some("a.conv"));
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
