//! The models of the repository: plans of their steps, and every kernel for every back end.

use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::Graph;
use hqcc_compiler::plan::Storage;
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps;
use hqcc_compiler::wgsl::{Target, emit};
use hqcc_tests::networks;

use crate::memory::replay;

/// The training, evaluation and prediction graphs of a model's file.
fn graphs(file: &str, size: Option<Size>) -> Vec<Graph> {
    let compiled = networks::experiment(file, &[], size).unwrap_or_else(|e| panic!("{e}"));
    let size = compiled.size(size.map_or(2, |size| size.batch));
    let entries = [
        compiled.train(size),
        compiled.evaluate(size),
        compiled.predict(size),
    ];
    let graph = |made: Result<Entry, _>| made.unwrap_or_else(|e| panic!("{file}: {e:?}")).graph;
    entries.into_iter().map(graph).collect()
}

#[test]
fn every_kernel_of_every_model_is_written_for_every_back_end() {
    let mut seen = std::collections::BTreeSet::new();
    for file in networks::files().keys() {
        for graph in graphs(file, None) {
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
    let graph = &graphs("unet.hqc", Some(size))[0];
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
