//! Simplification: equal nodes become one, identities go, what nobody reads is removed.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::graph::{Graph, NodeId};
use crate::ops::{Affine, Reshape};

/// Simplifies a graph. Values keep their bits: only nodes that compute the same thing from the same inputs merge.
///
/// # Errors
/// A graph without an order, which is a fault of hqcc.
pub fn simplify(graph: &mut Graph) -> Result<(), Fault> {
    let mut seen: BTreeMap<(&'static str, String, Vec<NodeId>), NodeId> = BTreeMap::new();
    for id in graph.topological("simplify")? {
        let inputs = graph.inputs(id);
        if let Some(source) = identity(graph, id, &inputs) {
            graph.redirect(id, source, &[]);
            continue;
        }
        let op = &graph.node(id).op;
        if matches!(op.name(), "parameter" | "input") || !op.overwrites().is_empty() {
            continue;
        }
        // Two nodes may merge only where no state that they read is overwritten in between, which holds since an
        // overwriting node runs after all other readers.
        // The text holds each field exactly; JSON would write `null` for every number that is not finite.
        let key = (op.name(), format!("{op:?}"), inputs);
        match seen.get(&key) {
            Some(&first) => graph.redirect(id, first, &[]),
            None => {
                seen.insert(key, id);
            }
        }
    }
    graph.prune();
    Ok(())
}

/// The input that a node passes through unchanged.
fn identity(graph: &Graph, id: NodeId, inputs: &[NodeId]) -> Option<NodeId> {
    let &[x] = inputs else { return None };
    let same = graph.ty(x) == graph.ty(id);
    let affine = graph
        .op::<Affine>(id)
        .is_some_and(|a| a.scale == 1.0 && a.offset == 0.0);
    let reshape = same && graph.op::<Reshape>(id).is_some();
    (affine || reshape).then_some(x)
}
