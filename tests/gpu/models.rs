//! The models of the repository: plans of their steps, and every kernel for every back end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::elaborate::{Size, load, network, study};
use hqcc_compiler::graph::Graph;
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::optimiser::Optimiser;
use hqcc_compiler::plan::Storage;
use hqcc_compiler::steps::{self, Recipe};
use hqcc_compiler::syntax::span::{MemoryWorld, Sources};
use hqcc_compiler::wgsl::{Target, emit};

use crate::memory::replay;

const ADAM: Optimiser = Optimiser::Adam {
    lr: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weight_decay: 5e-4,
    decoupled: false,
};

fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let models = entries.filter(|path| path.extension().is_some_and(|e| e == "hqc"));
    models
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The training, evaluation and prediction graphs of a model's file.
fn graphs(file: &str, settings: &[&str], size: Option<Size>) -> Vec<Graph> {
    let world = MemoryWorld {
        files: files(),
        variables: BTreeMap::new(),
    };
    let mut sources = Sources::default();
    let settings: Vec<_> = settings.iter().map(|text| (*text).to_owned()).collect();
    let project = load(&mut sources, &world, file, &settings);
    let project = project.unwrap_or_else(|errors| panic!("{}", render_all(&errors, &sources)));
    let study = study(&sources, &world, &project);
    let study = study.unwrap_or_else(|errors| panic!("{}", render_all(&errors, &sources)));
    let size = size.unwrap_or_else(|| study.size(2));
    let made = |training| {
        network(&sources, &world, &project, &study, size, training)
            .unwrap_or_else(|errors| panic!("{}", render_all(&errors, &sources)))
    };
    let trained = made(true);
    let rules: Vec<_> = trained
        .rules
        .iter()
        .map(|placed| placed.rule.clone())
        .collect();
    let loss = vec![(1.0, Loss::Bce), (1.0, Loss::Dice)];
    let recipe = Recipe {
        loss: loss.clone(),
        optimiser: ADAM,
    };
    vec![
        steps::train(trained.graph, &rules, &recipe).unwrap(),
        steps::evaluate(made(false).graph, &rules, &loss).unwrap(),
        steps::predict(made(false).graph).unwrap(),
    ]
}

#[test]
fn every_kernel_of_every_model_is_written_for_every_back_end() {
    let mut seen = std::collections::BTreeSet::new();
    for file in files().keys() {
        for graph in graphs(file, &[], None) {
            let plan = steps::plan(&graph).unwrap_or_else(|error| panic!("{file}: {error}"));
            replay(&plan);
            for kernel in plan
                .kernels
                .iter()
                .filter(|kernel| seen.insert(kernel.wgsl.clone()))
            {
                for target in Target::ALL {
                    let text =
                        emit(kernel, target).unwrap_or_else(|error| panic!("{file}: {error}"));
                    assert!(!text.is_empty());
                }
                assert!(kernel.workgroup_memory <= 16_384, "{file}: {}", kernel.name);
                assert!(
                    kernel.workgroup_size.iter().product::<u32>() <= 256,
                    "{file}: {}",
                    kernel.name
                );
                assert!(kernel.bindings.len() <= 8, "{file}: {}", kernel.name);
            }
        }
    }
    assert!(seen.len() > 100, "{} kernels", seen.len());
}

#[test]
fn the_unet_step_of_the_paper_needs_less_memory_than_its_tensors() {
    let size = Size {
        batch: 8,
        channels: 1,
        height: 256,
        width: 256,
    };
    let graph = &graphs("unet.hqc", &[], Some(size))[0];
    let started = std::time::Instant::now();
    let plan = steps::plan(graph).unwrap();
    println!(
        "{} kernels, {} dispatches, {:?}",
        plan.kernels.len(),
        plan.dispatches.len(),
        started.elapsed()
    );
    println!(
        "state {} MB, working {} MB",
        plan.memory.state_bytes() >> 20,
        plan.memory.working_bytes() >> 20
    );
    let slots = plan
        .memory
        .buffers
        .iter()
        .filter(|b| matches!(b.storage, Storage::Slot { .. }));
    let all: u64 = slots.map(|buffer| buffer.bytes).sum();
    // Parameters, two moments each, and running statistics.
    assert!(plan.memory.state_bytes() > 3 * 4 * 31_036_481);
    assert!(
        plan.memory.slots.iter().sum::<u64>() * 2 < all,
        "{} of {all}",
        plan.memory.slots.iter().sum::<u64>()
    );
}
