//! Checks a graph after a pass. A failure is a fault of hqcc, never of the user.

use super::Graph;

/// Recomputes every type with the op's own shape rule and checks inputs, overwrites and order.
///
/// # Errors
/// One sentence that names the node and what is wrong with it.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for id in graph.ids() {
        let node = graph.node(id);
        let types = graph.input_types(id);
        match node.op.infer(&types) {
            Ok(ty) if ty == node.ty => {}
            Ok(ty) => {
                return Err(format!(
                    "`{}` is {:?}, but `{}` gives {ty:?}",
                    node.name,
                    node.ty,
                    node.op.name()
                ));
            }
            Err(error) => {
                return Err(format!(
                    "`{}`: `{}` refuses its inputs: {error}",
                    node.name,
                    node.op.name()
                ));
            }
        }
        if node.op.overwrites().iter().any(|&slot| slot >= types.len()) {
            return Err(format!(
                "`{}` overwrites an input that it does not have",
                node.name
            ));
        }
    }
    graph.schedule().map(drop).map_err(|waiting| {
        let names: Vec<_> = waiting.iter().take(4).map(|&id| graph.name(id)).collect();
        format!("no order of execution exists for {}", names.join(", "))
    })
}
