//! Merges an `affine` or a `weight_map` that alone reads a circuit into the circuit, as an attribute. Each generated weight
//! is then written once, in its final order, and read once in the backward pass.

use crate::fault::Fault;
use crate::graph::{Changes, Graph, NodeId, Patch};
use crate::ops::{Affine, Circuit, WeightMap};
use crate::tensor_type::ShapeError;

const PASS: &str = "readout";

/// Joins every circuit with the fixed maps behind it. Runs before gradients are added.
///
/// # Errors
/// A graph without an order, or a joined circuit that refuses its angles, which are faults of hqcc.
pub fn absorb(graph: &mut Graph) -> Result<(), Fault> {
    for id in graph.topological(PASS)? {
        let Some((source, joined)) = join(graph, id) else {
            continue;
        };
        let changes = joined_in(graph, id, source, joined).map_err(|error| {
            Fault::new(PASS, graph.name(id), format!("angles that fit: {error}"))
        })?;
        graph.apply(changes);
    }
    graph.prune();
    Ok(())
}

/// Puts the joined circuit, which reads the angles of `source`, in the place of `id`.
fn joined_in(
    graph: &Graph,
    id: NodeId,
    source: NodeId,
    joined: Circuit,
) -> Result<Changes, ShapeError> {
    let mut patch = Patch::new(graph, id);
    patch.set_role(graph.node(id).origin.role.clone());
    let new = patch.add(joined, &graph.inputs(source), "circuit")?;
    patch.replace(id, new)?;
    patch.take_place(id, new);
    patch.finish()
}

/// The circuit that `id` reads, and what both are together.
fn join(graph: &Graph, id: NodeId) -> Option<(NodeId, Circuit)> {
    let &[source] = graph.inputs(id).as_slice() else {
        return None;
    };
    let circuit = graph.op::<Circuit>(source)?;
    let read_elsewhere = graph.outputs().values().any(|&output| output == source);
    if circuit.map.is_some() || graph.users(source).len() != 1 || read_elsewhere {
        return None;
    }
    let mut joined = circuit.clone();
    if let Some(affine) = graph.op::<Affine>(id) {
        joined.scale *= affine.scale;
        joined.offset = joined.offset * affine.scale + affine.offset;
    } else {
        joined.map = Some(graph.op::<WeightMap>(id)?.clone());
    }
    Some((source, joined))
}
