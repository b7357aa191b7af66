//! `freeze`: parameters that training leaves as they are.

use super::{Does, Method};
use crate::graph::{Graph, NodeId};
use crate::ops::{Parameter, ParameterKind, Settings};
use crate::tensor_type::ShapeError;

pub(super) const METHOD: Method = Method {
    name: "freeze",
    doc: "takes all parameters below the path out of training",
    settings: Vec::new,
    does: Does::Parameters(freeze),
};

fn freeze(graph: &mut Graph, parameters: &[NodeId], _: &Settings) -> Result<(), ShapeError> {
    for &id in parameters {
        let Some(parameter) = graph.op::<Parameter>(id).cloned() else {
            continue;
        };
        if parameter.kind == ParameterKind::Trained {
            let kind = ParameterKind::Frozen;
            graph.set_op(id, Parameter { kind, ..parameter })?;
        }
    }
    Ok(())
}
