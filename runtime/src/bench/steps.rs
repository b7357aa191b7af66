//! Training steps of a network on made-up batches.

use hqcc_compiler::ops::DROPOUT_KEY;
use hqcc_compiler::passes::optimiser::SCHEDULE;
use hqcc_compiler::program::Entry;

use super::{Effort, Timing, time};
use crate::cpu::{CpuExecutor, OpTime};
use crate::executor::{Executor, ExecutorError};
use crate::random::Stream;
use crate::tensor::Tensor;
use crate::train::network::dropout_key;
use crate::weights::initialise;

/// Inputs of a training step: random images, masks of zeros and ones, the schedule and the random key of the first step.
fn inputs(entry: &Entry) -> Vec<(String, Tensor)> {
    let make = |(name, ty): (String, hqcc_compiler::tensor_type::TensorType)| {
        if name == DROPOUT_KEY {
            return (name, dropout_key(1, 1));
        }
        let stream = Stream::new(1, &name);
        let target = name == hqcc_compiler::steps::TARGET;
        let value = |i: usize| match (target, name == SCHEDULE) {
            (true, _) => stream.uniform_f32(i as u64).round(),
            // Learning rate and bias corrections of Adam's first step.
            (_, true) => [1e-3, 10.0, 31.622_777][i.min(2)],
            _ => stream.uniform_f32(i as u64),
        };
        let tensor = Tensor::from_fn(ty.shape, value);
        (name, tensor)
    };
    entry.inputs().into_iter().map(make).collect()
}

fn load(executor: &mut dyn Executor, entry: &Entry) -> Result<(), ExecutorError> {
    executor.load("train", entry)?;
    entry
        .state()
        .iter()
        .try_for_each(|tensor| executor.write(&tensor.name, &initialise(tensor, 1)))
}

/// Times training steps as the training loop runs them: the next step is handed in before the last one is awaited.
///
/// # Errors
/// The device's.
pub fn time_steps(
    mut executor: Box<dyn Executor>,
    name: &str,
    entry: &Entry,
    effort: Effort,
) -> Result<Timing, ExecutorError> {
    load(&mut *executor, entry)?;
    let inputs = inputs(entry);
    let inputs: Vec<(&str, &Tensor)> = inputs
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    let graph = &entry.graph;
    let flops = graph
        .ids()
        .map(|id| {
            graph
                .node(id)
                .op
                .flops(&graph.input_types(id), graph.ty(id))
        })
        .sum();
    executor.submit("train", &inputs)?;
    let timing = time(name, effort, Some(flops), || {
        executor.submit("train", &inputs)?;
        executor.collect().map(|_| ())
    })?;
    executor.collect()?;
    Ok(timing)
}

/// Where the time of three training steps on the CPU goes, the most expensive first.
///
/// # Errors
/// The executor's.
pub fn profile(entry: &Entry) -> Result<Vec<OpTime>, ExecutorError> {
    let mut cpu = CpuExecutor::<f32>::new();
    load(&mut cpu, entry)?;
    let inputs = inputs(entry);
    let inputs: Vec<(&str, &Tensor)> = inputs
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    cpu.run("train", &inputs)?;
    cpu.start_profile();
    for _ in 0..3 {
        cpu.run("train", &inputs)?;
    }
    Ok(cpu.take_profile())
}
