//! Weight generation as an executor does it: a layer's weight from its angles, and the gradient of the angles.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use hqcc_compiler::graph::{Graph, Init, NodeId, Parameter, ParameterKind, WeightKind};
use hqcc_compiler::ops::{Circuit, CircuitGrad, Readout, Reshape, Slice, WeightMap};
use hqcc_compiler::program::Entry;
use hqcc_compiler::quantum::ansatz::{Ansatz, qubits_for};
use hqcc_compiler::tensor_type::{ShapeError, TensorType};

use super::{Effort, Timing, time};
use crate::executor::{Executor, ExecutorError};
use crate::weights::initialise;

/// Channels (as many in as out) and blocks of the 3x3 convolutions that are timed.
const CASES: [(usize, usize); 4] = [(64, 1), (64, 4), (512, 1), (512, 4)];

/// Why weight generation cannot be timed.
#[derive(Debug, thiserror::Error)]
pub enum QpgError {
    /// The graph of a case.
    #[error("{}", .0.message)]
    Graph(ShapeError),
    /// The device.
    #[error(transparent)]
    Device(#[from] ExecutorError),
}

impl From<ShapeError> for QpgError {
    fn from(error: ShapeError) -> Self {
        Self::Graph(error)
    }
}

/// Times the generation of weights (post-processing `sst`), forward alone and with the gradient of the angles.
///
/// Angles and cotangent lie on the device; a run ends when a small part of its results has come back, which is not
/// before all of them are done.
///
/// # Errors
/// The device's.
pub fn time_generation(
    executor: &mut dyn Executor,
    effort: Effort,
) -> Result<Vec<Timing>, QpgError> {
    let mut timings = Vec::new();
    for (channels, blocks) in CASES {
        for backward in [false, true] {
            let graph = graph(channels, blocks, backward)?;
            let what = if backward {
                "forward + backward"
            } else {
                "forward"
            };
            let name = format!("qpg {channels}->{channels} 3x3, K = {blocks}, {what}");
            let flops = graph
                .ids()
                .map(|id| {
                    let types = graph.input_types(id);
                    graph.node(id).op.flops(&types, graph.ty(id))
                })
                .sum();
            let entry = Entry { graph };
            executor.load(&name, &entry)?;
            for state in entry.state() {
                executor.write(&state.name, &initialise(&state, 1))?;
            }
            let run = || executor.run(&name, &[]).map(|_| ());
            timings.push(time(&name, effort, Some(flops), run)?);
        }
    }
    Ok(timings)
}

/// A generated weight as the compiler leaves it, and with `backward` the gradient of its angles.
fn graph(channels: usize, blocks: usize, backward: bool) -> Result<Graph, ShapeError> {
    let mut graph = Graph::default();
    let map = WeightMap {
        to: TensorType::kernel([channels, channels, 3, 3]),
        kind: WeightKind::Conv,
        input_targets: true,
    };
    let [circuits, used] = map.circuits();
    let qubits = qubits_for(used);
    let state = |ty, init| Parameter {
        ty,
        kind: ParameterKind::Frozen,
        init,
        weight: None,
    };
    let angles = TensorType::plain([circuits, blocks, 2, qubits]);
    let uniform = Init::Uniform {
        low: 0.0,
        high: 1.0,
    };
    let name = format!("{channels}-{blocks}.theta");
    let theta = graph.add(state(angles, uniform), &[], name)?;
    let circuit = Circuit {
        scale: FRAC_PI_2,
        offset: -FRAC_PI_4,
        map: Some(map.clone()),
        ..Circuit::new(Ansatz::hqc_tf(), qubits, blocks, Readout::Probability, used)
    };
    let weight = graph.add(circuit.clone(), &[theta], "weight")?;
    let pixels = TensorType::image([9, channels, channels, 1]);
    output(&mut graph, weight, pixels, "part of the weight")?;
    if backward {
        let normal = Init::Normal { std: 1.0 };
        let name = format!("{channels}.cotangent");
        let cotangent = graph.add(state(map.to, normal), &[], name)?;
        let gradient = graph.add(CircuitGrad { circuit }, &[theta, cotangent], "gradient")?;
        let rows = TensorType::image([circuits, qubits, 2 * blocks, 1]);
        output(&mut graph, gradient, rows, "part of the gradient")?;
    }
    Ok(graph)
}

/// Hands out the first channel of a tensor seen as an image.
fn output(graph: &mut Graph, of: NodeId, to: TensorType, name: &str) -> Result<(), ShapeError> {
    let image = graph.add(Reshape { to }, &[of], format!("{name}, as an image"))?;
    let slice = Slice {
        start: 0,
        channels: 1,
    };
    let part = graph.add(slice, &[image], name)?;
    graph.set_output(name, part);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_graph() {
        for (channels, blocks) in CASES {
            for backward in [false, true] {
                let graph = graph(channels, blocks, backward).expect("a graph");
                assert_eq!(graph.outputs().len(), 1 + usize::from(backward));
            }
        }
    }
}
