//! `freeze`: parameters that training leaves as they are.
//!
//! As with `requires_grad = False` in PyTorch, a frozen batch normalisation goes on using the statistics of the batch in
//! training, and its running ones go on moving. With `statistics = true` it is as if `.eval()` were called on the module
//! in every step: training normalises by the running statistics, which do not change and pass no gradient.

use std::collections::BTreeMap;

use super::{Does, Method};
use crate::graph::{Graph, NodeId, Parameter, ParameterKind, Patch};
use crate::ops::{BatchNorm, RunningAverage, StackRows};
use crate::setting::{Kind, Setting, Settings};
use crate::tensor_type::ShapeError;

pub(super) const METHOD: Method = Method {
    name: "freeze",
    doc: "takes all parameters below the path out of training",
    settings: || vec![&STATISTICS],
    does: Does::Parameters(freeze),
};

const STATISTICS: Setting = Setting {
    name: "statistics",
    kind: Kind::Bool,
    default: Some("false"),
    doc: "running statistics stand still too, and training normalises by them",
};

fn freeze(graph: &mut Graph, parameters: &[NodeId], given: &Settings) -> Result<(), ShapeError> {
    for &id in parameters {
        let Some(parameter) = graph.op::<Parameter>(id).cloned() else {
            continue;
        };
        if parameter.kind == ParameterKind::Trained {
            let kind = ParameterKind::Frozen;
            graph.set_op(id, Parameter { kind, ..parameter })?;
        }
    }
    if given.bool("statistics") {
        hold_statistics(graph, parameters)?;
    }
    Ok(())
}

/// Lets normalisations whose running statistics are among `parameters` use them, and keeps those as they are.
fn hold_statistics(graph: &mut Graph, parameters: &[NodeId]) -> Result<(), ShapeError> {
    // The running mean and variance, rows 0 and 1, by the statistics of the batch that they follow.
    let mut held: BTreeMap<NodeId, [Option<NodeId>; 2]> = BTreeMap::new();
    let mut dropped: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for &id in graph.effects() {
        let Some(average) = graph.op::<RunningAverage>(id) else {
            continue;
        };
        if let &[state, stats] = graph.inputs(id).as_slice()
            && parameters.contains(&state)
            && let Some(slot) = held.entry(stats).or_default().get_mut(average.row)
        {
            *slot = Some(state);
            dropped.entry(stats).or_default().push(id);
        }
    }
    for (stats, rows) in held {
        let [Some(mean), Some(variance)] = rows else {
            let name = graph.name(stats).to_owned();
            let message = format!("only one of the two running statistics of `{name}` is frozen");
            return Err(
                ShapeError::new(message).help("name the normalisation, not one of its tensors")
            );
        };
        let readers = graph.users(stats);
        let mut patch = Patch::new(graph, stats);
        let running = patch.add(StackRows, &[mean, variance], "running")?;
        for &average in dropped.get(&stats).into_iter().flatten() {
            patch.drop_effect(average);
        }
        for reader in readers {
            if let Some(norm) = patch.graph().op::<BatchNorm>(reader).cloned() {
                let training = false;
                patch.set_op(reader, BatchNorm { training, ..norm })?;
            }
        }
        patch.replace(stats, running)?;
        let changes = patch.finish()?;
        graph.apply(changes);
    }
    Ok(())
}
