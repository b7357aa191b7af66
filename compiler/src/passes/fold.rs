//! Folding: what depends on parameters alone is computed once, so that a network without training holds no circuit, no
//! adapter and no standardised weight any more, only plain parameters.

use crate::fault::Fault;
use crate::graph::{
    Changes, Constant, Graph, Init, Input, NodeId, Parameter, ParameterKind, Patch,
};
use crate::passes::readout;
use crate::tensor_type::ShapeError;

const PASS: &str = "fold";

/// A graph cut where the constant part meets the rest.
pub struct Folded {
    /// The rest: each constant that it reads is a parameter under the name of the node that computed it.
    pub graph: Graph,
    /// The constant part, one output for each such parameter under its name; `None` where there is none.
    pub constants: Option<Graph>,
}

/// Cuts a graph that changes no state.
///
/// # Errors
/// A graph without an order, or a parameter that refuses its own type, which are faults of hqcc.
pub fn fold(graph: &Graph) -> Result<Folded, Fault> {
    let mut constant = vec![false; graph.capacity()];
    for id in graph.topological(PASS)? {
        let node = graph.node(id);
        constant[id.index()] = graph.op::<Input>(id).is_none()
            && node.op.overwrites().is_empty()
            && graph.inputs(id).iter().all(|input| constant[input.index()]);
    }
    let is_leaf = |id| graph.op::<Parameter>(id).is_some() || graph.op::<Constant>(id).is_some();
    let is_output = |id| graph.outputs().values().any(|&output| output == id);
    let is_read = |id| is_output(id) || graph.users(id).iter().any(|user| !constant[user.index()]);
    let edge: Vec<NodeId> = graph
        .ids()
        .filter(|&id| constant[id.index()] && !is_leaf(id) && is_read(id))
        .collect();
    let mut rest = graph.clone();
    for &id in &edge {
        let parameter = Parameter {
            ty: graph.ty(id).clone(),
            kind: ParameterKind::Frozen,
            init: Init::Constant { value: 0.0 },
            weight: None,
        };
        let keep: Vec<NodeId> = graph
            .users(id)
            .into_iter()
            .filter(|user| constant[user.index()])
            .collect();
        let changes = cut(&rest, id, parameter, &keep)
            .map_err(|error| Fault::new(PASS, graph.name(id), format!("its own type: {error}")))?;
        rest.apply(changes);
    }
    rest.prune();
    let constants = (!edge.is_empty()).then(|| {
        let mut constants = graph.clone();
        constants.retain_outputs(|_| false);
        constants.clear_effects();
        for &id in &edge {
            constants.set_output(graph.name(id), id);
        }
        constants.prune();
        constants
    });
    let constants = match constants {
        Some(mut graph) => {
            readout::absorb(&mut graph)?;
            Some(graph)
        }
        None => None,
    };
    Ok(Folded {
        graph: rest,
        constants,
    })
}

/// Lets every reader of `id` but those in `keep` read a parameter instead, which takes over the name.
fn cut(
    graph: &Graph,
    id: NodeId,
    parameter: Parameter,
    keep: &[NodeId],
) -> Result<Changes, ShapeError> {
    let mut patch = Patch::new(graph, id);
    let new = patch.add(parameter, &[], "folded")?;
    patch.redirect(id, new, keep)?;
    patch.rename(id, format!("{}.unfolded", graph.name(id)));
    patch.rename(new, graph.name(id).to_owned());
    patch.finish()
}
