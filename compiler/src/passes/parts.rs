//! Joins the gradients of slices: each is padded with zero channels, and their sum is one concatenation.

use std::ops::Range;

use crate::fault::Fault;
use crate::graph::{Changes, Constant, Graph, NodeId, Patch};
use crate::ops::{Add, Concat};
use crate::tensor_type::{ShapeError, TensorType};

const PASS: &str = "parts";

/// Channels of a map, and the node that they come from.
type Part = (Range<usize>, NodeId);

/// Replaces each sum of zero-padded maps with disjoint channels by one concatenation.
///
/// # Errors
/// A graph without an order, or parts that have not the channels of the sum, which are faults of hqcc.
pub fn join(graph: &mut Graph) -> Result<(), Fault> {
    for id in graph.topological(PASS)? {
        if graph.op::<Add>(id).is_none() {
            continue;
        }
        let mut parts = Vec::new();
        for input in graph.inputs(id) {
            match filled(graph, input) {
                Some(some) => parts.extend(some),
                None => parts.clear(),
            }
            if parts.is_empty() {
                break;
            }
        }
        parts.sort_by_key(|(channels, _)| channels.start);
        let apart = parts
            .windows(2)
            .all(|pair| pair[0].0.end <= pair[1].0.start);
        if parts.len() < 2 || !apart {
            continue;
        }
        let changes = joined(graph, id, &parts).map_err(|error| {
            let expected = format!("parts that fill it: {error}");
            Fault::new(PASS, graph.name(id), expected)
        })?;
        graph.apply(changes);
    }
    Ok(())
}

/// Puts one concatenation of the parts in the place of the sum `id`.
fn joined(graph: &Graph, id: NodeId, parts: &[Part]) -> Result<Changes, ShapeError> {
    let mut patch = Patch::new(graph, id);
    let joined = concatenation(&mut patch, id, parts)?;
    patch.replace(id, joined)?;
    patch.finish()
}

/// The parts of a concatenation that are not zero; `None` where no part is, or nothing is concatenated.
fn filled(graph: &Graph, id: NodeId) -> Option<Vec<Part>> {
    graph.op::<Concat>(id)?;
    let (mut parts, mut start, mut zeros) = (Vec::new(), 0, false);
    for input in graph.inputs(id) {
        let channels = start..start + graph.ty(input).as_image().ok()?[1];
        start = channels.end;
        if graph.op::<Constant>(input).is_some_and(|c| c.value == 0.0) {
            zeros = true;
        } else {
            parts.push((channels, input));
        }
    }
    (zeros && !parts.is_empty()).then_some(parts)
}

/// The parts in order, zeros between them, with the type of `like`.
fn concatenation(
    patch: &mut Patch<'_>,
    like: NodeId,
    parts: &[Part],
) -> Result<NodeId, ShapeError> {
    let [n, c, h, w] = patch.ty(like).as_image()?;
    let mut inputs = Vec::new();
    let mut done = 0;
    for (channels, part) in parts.iter().cloned().chain([(c..c, like)]) {
        if channels.start > done {
            let ty = TensorType::image([n, channels.start - done, h, w]);
            inputs.push(patch.add(Constant { ty, value: 0.0 }, &[], "parts.zeros")?);
        }
        if !channels.is_empty() {
            inputs.push(part);
        }
        done = channels.end;
    }
    patch.add(Concat, &inputs, "parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Input, verify};
    use crate::ops::Slice;
    use crate::passes::autodiff::differentiate;
    use crate::passes::simplify::simplify;

    /// A graph that squares some slices of its input and sums everything, and the slices' gradients joined.
    fn gradient(channels: usize, slices: &[Range<usize>]) -> Graph {
        let mut graph = Graph::default();
        let ty = TensorType::image([2, channels, 3, 4]);
        let x = graph.add(Input { ty }, &[], "x").expect("an input");
        let mut total = None;
        for (at, range) in slices.iter().enumerate() {
            let slice = Slice {
                start: range.start,
                channels: range.len(),
            };
            let part = graph.add(slice, &[x], format!("s{at}")).expect("a slice");
            let square = graph.add(crate::ops::Mul, &[part, part], format!("q{at}"));
            let axes = crate::ops::ReduceSum {
                axes: vec![0, 1, 2, 3],
            };
            let sum = graph.add(axes, &[square.expect("a product")], format!("t{at}"));
            let sum = sum.expect("a sum");
            total = Some(match total {
                None => sum,
                Some(so_far) => graph
                    .add(Add, &[so_far, sum], format!("u{at}"))
                    .expect("a sum"),
            });
        }
        let to = TensorType::scalar();
        let total = total.expect("a slice");
        let loss = graph
            .add(crate::ops::Reshape { to }, &[total], "loss")
            .expect("a scalar");
        let gradients = differentiate(&mut graph, loss, &[x]).expect("a gradient");
        graph.set_output("dx", gradients[0].1);
        join(&mut graph).expect("it fits");
        simplify(&mut graph).expect("an order");
        verify(&graph, "parts").expect("sound");
        graph
    }

    fn count<T: crate::graph::Op>(graph: &Graph) -> usize {
        graph
            .ids()
            .filter(|&id| graph.op::<T>(id).is_some())
            .count()
    }

    #[test]
    fn slices_that_fill_the_map_leave_one_concatenation() {
        let graph = gradient(10, &[0..3, 6..10, 3..6]);
        assert_eq!(count::<Concat>(&graph), 1);
        let dx = graph.outputs()["dx"];
        let parts: Vec<_> = graph
            .inputs(dx)
            .iter()
            .map(|&id| graph.ty(id).shape[1])
            .collect();
        assert_eq!(parts, [3, 3, 4]);
    }

    #[test]
    fn gaps_stay_zero_and_overlaps_stay_sums() {
        let graph = gradient(10, &[1..3, 7..9]);
        let dx = graph.outputs()["dx"];
        let parts: Vec<_> = graph
            .inputs(dx)
            .iter()
            .map(|&id| graph.ty(id).shape[1])
            .collect();
        assert_eq!(parts, [1, 2, 4, 2, 1]);
        let graph = gradient(10, &[0..6, 4..10]);
        assert!(graph.op::<Add>(graph.outputs()["dx"]).is_some());
    }
}
