//! Checks a graph after a pass. A failure is a fault of hqcc, never of the user.

use super::Graph;
use crate::fault::Fault;

/// Recomputes every type with the op's own shape rule and checks inputs, overwrites and order after a pass.
///
/// # Errors
/// The first node that does not hold.
pub fn verify(graph: &Graph, pass: &'static str) -> Result<(), Fault> {
    for id in graph.ids() {
        let node = graph.node(id);
        let types = graph.input_types(id);
        match node.op.infer(&types) {
            Ok(ty) if ty == node.ty => {}
            Ok(ty) => {
                let expected = format!("{:?}, and `{}` gives {ty:?}", node.ty, node.op.name());
                return Err(Fault::new(pass, &node.name, expected));
            }
            Err(error) => {
                let expected = format!("inputs that `{}` takes: {error}", node.op.name());
                return Err(Fault::new(pass, &node.name, expected));
            }
        }
        if node.op.overwrites().iter().any(|&slot| slot >= types.len()) {
            return Err(Fault::new(pass, &node.name, "an input that it overwrites"));
        }
    }
    graph.schedule(pass).map(drop)
}
