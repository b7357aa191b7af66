//! What happens to a graph between the source and the plan.

pub mod autodiff;
pub mod fold;
pub mod fuse;
pub mod loss;
pub mod optimiser;
pub mod parts;
pub mod readout;
pub mod rewrite;
pub mod simplify;

#[cfg(test)]
mod tests {
    use crate::fault::Fault;
    use crate::graph::{Constant, Graph, Input, NodeId, verify};
    use crate::ops::Affine;
    use crate::tensor_type::TensorType;

    const HALVED: Affine = Affine {
        scale: 0.5,
        offset: 0.0,
    };

    /// A graph whose node `b` reads itself.
    fn turning() -> (Graph, NodeId) {
        let mut graph = Graph::default();
        let ty = TensorType::scalar();
        let a = graph.add(Input { ty }, &[], "a").expect("a leaf");
        let b = graph.add(HALVED, &[a], "b").expect("a node");
        graph.redirect(a, b, &[]);
        graph.set_output("y", b);
        (graph, b)
    }

    #[test]
    fn no_pass_takes_a_graph_without_an_order_for_an_empty_one() {
        let (graph, b) = turning();
        let expected = |pass: &'static str| Err(Fault::new(pass, "b", "an order of execution"));
        assert_eq!(verify(&graph, "test"), expected("test"));
        assert_eq!(
            super::simplify::simplify(&mut graph.clone()),
            expected("simplify")
        );
        assert_eq!(
            super::readout::absorb(&mut graph.clone()),
            expected("readout")
        );
        assert_eq!(super::parts::join(&mut graph.clone()), expected("parts"));
        assert_eq!(super::fold::fold(&graph).map(|_| ()), expected("fold"));
        let derived = super::autodiff::differentiate(&mut graph.clone(), b, &[b]);
        assert_eq!(derived.map(|_| ()), expected("autodiff"));
        let stored = serde_json::to_string(&graph).expect_err("no order");
        assert!(
            stored.to_string().contains("pass `store`, node `b`"),
            "{stored}"
        );
    }

    #[test]
    fn constants_that_json_cannot_tell_apart_do_not_merge() {
        let mut graph = Graph::default();
        for (at, value) in [f64::INFINITY, -f64::INFINITY, f64::NAN, 0.0, -0.0, 0.0]
            .into_iter()
            .enumerate()
        {
            let ty = TensorType::scalar();
            let constant = Constant { ty, value };
            let id = graph.add(constant, &[], format!("c{at}")).expect("a leaf");
            graph.set_output(format!("y{at}"), id);
        }
        super::simplify::simplify(&mut graph).expect("an order");
        let outputs = graph.outputs();
        assert_eq!(graph.len(), 5, "{outputs:?}");
        assert_eq!(outputs["y3"], outputs["y5"]);
    }
}
