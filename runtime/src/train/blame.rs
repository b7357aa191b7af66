//! Finds the node where a number first stopped being finite.
//!
//! The step is run once more on the CPU with every node of its graph as an output, from the state before it.

use hqcc_compiler::graph::{Input, NodeId, Parameter, Phase};
use hqcc_compiler::program::Entry;

use super::run_loop::Fault;
use crate::cpu::CpuExecutor;
use crate::executor::Executor;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// Most bytes of node outputs that are worth an answer.
const MAX_BYTES: u64 = 4 << 30;

/// A node whose output is not finite although its inputs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Its name, the layer's path first.
    pub node: String,
    /// Its op.
    pub op: String,
    /// Type of its output.
    pub ty: String,
    /// Part of the step.
    pub phase: Phase,
}

impl std::fmt::Display for Culprit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Culprit {
            node,
            op,
            ty,
            phase,
        } = self;
        let part = match phase {
            Phase::Forward => "the forward pass",
            Phase::Loss => "the loss",
            Phase::Backward => "the backward pass",
            Phase::Update => "the update",
        };
        write!(f, "`{node}` ({op}, {ty}) in {part}")
    }
}

/// Runs a step from `state` and gives the first node, in the order of evaluation, that is not finite. `None`: all are,
/// or the step is too large to look into.
///
/// # Errors
/// The CPU executor's.
pub fn first_in_step(
    entry: &Entry,
    state: &Weights,
    inputs: &[(&str, &Tensor)],
) -> Result<Option<Culprit>, Fault> {
    let mut watched = entry.clone();
    let graph = &mut watched.graph;
    let order = graph.topological("blame")?;
    let is_leaf =
        |id: &NodeId| graph.op::<Input>(*id).is_some() || graph.op::<Parameter>(*id).is_some();
    // An update gives its result into the state that it overwrites; such nodes are judged by that.
    let (updates, order): (Vec<NodeId>, Vec<NodeId>) = order
        .into_iter()
        .filter(|id| !is_leaf(id))
        .partition(|&id| !graph.node(id).op.overwrites().is_empty());
    if order.iter().map(|&id| graph.ty(id).bytes()).sum::<u64>() > MAX_BYTES {
        return Ok(None);
    }
    for &id in &order {
        let name = graph.name(id).to_owned();
        graph.set_output(name, id);
    }
    let mut cpu = CpuExecutor::<f32>::new();
    cpu.load("step", &watched)?;
    for tensor in watched.state() {
        if let Some(value) = state.get(&tensor.name) {
            cpu.write(&tensor.name, value)?;
        }
    }
    let outputs = cpu.run("step", inputs)?;
    let graph = &watched.graph;
    let diverged = |tensor: &Tensor| tensor.data().iter().any(|v| !v.is_finite());
    let mut culprit = order
        .into_iter()
        .find(|&id| outputs.get(graph.name(id)).is_some_and(diverged));
    for id in updates {
        if culprit.is_some() {
            break;
        }
        let inputs = graph.inputs(id);
        for at in graph.node(id).op.overwrites() {
            if let Some(&state) = inputs.get(*at)
                && diverged(&cpu.read(graph.name(state))?)
            {
                culprit = Some(id);
            }
        }
    }
    Ok(culprit.map(|id| {
        let node = graph.node(id);
        Culprit {
            node: node.name.clone(),
            op: node.op.name().to_owned(),
            ty: node.ty.to_string(),
            phase: node.origin.phase,
        }
    }))
}
