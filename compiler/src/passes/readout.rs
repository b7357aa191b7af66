//! Readouts take in what follows them: an `affine` or a `weight_map` that alone reads a circuit becomes an attribute of
//! the circuit, so that generated weights are written once, where they belong, and read once on the way back.

use crate::graph::{Graph, NodeId};
use crate::ops::{Affine, Circuit, WeightMap};
use crate::tensor_type::ShapeError;

/// Joins every circuit with the fixed maps behind it. Runs before gradients are added.
///
/// # Errors
/// A joined circuit refuses its angles, which is a fault of hqcc.
pub fn absorb(graph: &mut Graph) -> Result<(), ShapeError> {
    for id in graph.topological().unwrap_or_default() {
        let Some((source, joined)) = join(graph, id) else {
            continue;
        };
        let angles = graph.inputs(source);
        let name = graph.name(id).to_owned();
        graph.set_phase(graph.node(id).phase);
        let new = graph.add(joined, &angles, format!("{name}.circuit"))?;
        graph.redirect(id, new, &[]);
    }
    graph.prune();
    Ok(())
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
