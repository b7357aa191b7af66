//! Reverse-mode differentiation: adds the gradient of a scalar with respect to every trained parameter.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::graph::{Backward, Constant, Graph, NodeId, Parameter, ParameterKind, Phase};
use crate::ops::{self, Add};
use crate::tensor_type::ShapeError;

const PASS: &str = "autodiff";

/// The trained parameters of a graph, in order of creation.
pub fn trained(graph: &Graph) -> Vec<NodeId> {
    graph
        .ids()
        .filter(|&id| {
            graph
                .op::<Parameter>(id)
                .is_some_and(|p| p.kind == ParameterKind::Trained)
        })
        .collect()
}

/// Adds the backward pass of the scalar `loss`; gives each node of `wanted` its gradient (zeros where the loss does
/// not depend on it).
///
/// # Errors
/// An op between a wanted node and the loss has no gradient, which is a fault of hqcc: each layer can be trained.
pub fn differentiate(
    graph: &mut Graph,
    loss: NodeId,
    wanted: &[NodeId],
) -> Result<Vec<(NodeId, NodeId)>, Fault> {
    graph.set_phase(Phase::Backward);
    let order = graph.topological(PASS)?;
    let mut needs = vec![false; graph.capacity()];
    for &id in wanted {
        needs[id.index()] = true;
    }
    for &id in &order {
        if graph.inputs(id).iter().any(|input| needs[input.index()]) {
            needs[id.index()] = true;
        }
    }
    let fail = |graph: &Graph, id: NodeId, error: ShapeError| {
        Fault::new(PASS, graph.name(id), format!("a gradient: {error}"))
    };
    let mut pending: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let one = Constant {
        ty: graph.ty(loss).clone(),
        value: 1.0,
    };
    let name = format!("{}.grad", graph.name(loss));
    let seed = graph
        .add(one, &[], name)
        .map_err(|e| fail(graph, loss, e))?;
    pending.insert(loss, seed);
    let mut gradients: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for &id in order.iter().rev() {
        if !needs[id.index()] {
            continue;
        }
        let Some(dy) = pending.remove(&id) else {
            continue;
        };
        gradients.insert(id, dy);
        let inputs = graph.inputs(id);
        if inputs.is_empty() {
            continue;
        }
        let wants = inputs.iter().map(|input| needs[input.index()]).collect();
        let op = graph.node(id).op.clone();
        let mut back = Backward::new(graph, id, wants);
        let grads = match ops::gradient(&*op) {
            Some(op) => op.grad(&mut back, dy),
            None => Err(ShapeError::new("the table of ops does not have it")),
        };
        let grads = grads.map_err(|e| fail(graph, id, e))?;
        for (input, grad) in inputs.into_iter().zip(grads) {
            let Some(grad) = grad.filter(|_| needs[input.index()]) else {
                continue;
            };
            let total = match pending.get(&input) {
                None => grad,
                Some(&so_far) => {
                    let name = format!("{}.grad.sum", graph.name(input));
                    graph
                        .add(Add, &[so_far, grad], name)
                        .map_err(|e| fail(graph, input, e))?
                }
            };
            pending.insert(input, total);
        }
    }
    wanted
        .iter()
        .map(|&id| {
            let gradient = match gradients.get(&id) {
                Some(&gradient) => gradient,
                None => {
                    let zero = Constant {
                        ty: graph.ty(id).clone(),
                        value: 0.0,
                    };
                    let name = format!("{}.grad", graph.name(id));
                    graph.add(zero, &[], name).map_err(|e| fail(graph, id, e))?
                }
            };
            Ok((id, gradient))
        })
        .collect()
}
