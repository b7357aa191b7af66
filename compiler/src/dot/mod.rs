//! A graph as DOT, for Graphviz: one box per layer or block, clusters by block, colours by what trains. Boxes carry the
//! shape of what they give.

mod figure;
mod fold;
mod options;
mod write;

use std::num::NonZeroUsize;

use crate::graph::Graph;
use figure::Drawing;

pub use options::DotOptions;

/// How many boxes a picture may have that is still read on a screen.
const READABLE: usize = 40;

/// The graph as DOT. Boxes lie in clusters by their path; circuits and the weights they generate are violet, low-rank
/// adapters green, frozen layers grey; a legend explains the colours that occur. Layers of one block that follow each other without a branch share a box, and so do
/// blocks of one name and successive numbers.
pub fn to_dot(graph: &Graph, options: &DotOptions) -> String {
    write::write(&drawing(graph, options), options)
}

fn drawing(graph: &Graph, options: &DotOptions) -> Drawing {
    let drawing = Drawing::new(graph, options);
    if options.nodes {
        drawing
    } else {
        fold::fold(drawing)
    }
}

/// The greatest depth at which a picture is still read on a screen, at least 1, and the depth at which every layer shows.
pub fn readable_depth(graph: &Graph) -> (NonZeroUsize, usize) {
    let at = |depth| DotOptions {
        depth: Some(depth),
        ..DotOptions::default()
    };
    let deepest = figure::deepest(graph);
    let readable = |&depth: &NonZeroUsize| drawing(graph, &at(depth)).figures.len() <= READABLE;
    let mut depths = (1..=deepest).rev().filter_map(NonZeroUsize::new);
    (depths.find(readable).unwrap_or(NonZeroUsize::MIN), deepest)
}
