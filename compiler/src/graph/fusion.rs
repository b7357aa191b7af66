//! Nodes that one kernel computes, and what an executor has kernels for. Both are data: the pass that joins nodes asks
//! what an executor is able to do, and every executor gets the same kind of list.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Graph, NodeId, Op, Read};
use crate::tensor_type::{Layout, TensorType};

/// Where a link takes an input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkInput {
    /// An input of the fusion, by number.
    Outer(usize),
    /// The result of an earlier link, by number.
    Link(usize),
}

/// One node of a fusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The node.
    pub node: NodeId,
    /// Its inputs, in order.
    pub inputs: Vec<LinkInput>,
}

/// Nodes that one kernel computes, in order. The last one gives the result; intermediate values stay in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fusion {
    result: NodeId,
    links: Vec<Link>,
    inputs: Vec<NodeId>,
}

impl Fusion {
    /// A node by itself, whose inputs are those of the node.
    pub fn alone(graph: &Graph, node: NodeId) -> Self {
        let inputs = graph.inputs(node);
        let link = Link {
            node,
            inputs: (0..inputs.len()).map(LinkInput::Outer).collect(),
        };
        Self {
            result: node,
            links: vec![link],
            inputs,
        }
    }

    /// The fusion of `earlier`, each after its inputs, with the node that gives the result. Inputs are numbered in the
    /// order in which the links first read them.
    pub fn joined(graph: &Graph, earlier: &[NodeId], result: NodeId) -> Self {
        let mut inputs: Vec<NodeId> = Vec::new();
        let mut links: Vec<Link> = Vec::with_capacity(earlier.len() + 1);
        for &node in earlier.iter().chain([&result]) {
            let mut read = |source: NodeId| {
                if let Some(at) = links.iter().position(|link| link.node == source) {
                    return LinkInput::Link(at);
                }
                let known = inputs.iter().position(|&input| input == source);
                LinkInput::Outer(known.unwrap_or_else(|| {
                    inputs.push(source);
                    inputs.len() - 1
                }))
            };
            let inputs = graph.inputs(node).into_iter().map(&mut read).collect();
            links.push(Link { node, inputs });
        }
        Self {
            result,
            links,
            inputs,
        }
    }

    /// The node whose value the kernel writes.
    pub fn result(&self) -> NodeId {
        self.result
    }

    /// The nodes that it computes, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The values that it reads; each once where nodes are joined.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The op, where the fusion is a single node.
    pub fn single<'g>(&self, graph: &'g Graph) -> Option<&'g dyn Op> {
        (self.links.len() == 1).then(|| &*graph.node(self.result).op)
    }

    /// Whether it is a view alone, which computes nothing.
    pub fn is_view(&self, graph: &Graph) -> bool {
        self.single(graph).is_some_and(Op::is_view)
    }

    /// The state that it overwrites.
    pub fn overwritten(&self, graph: &Graph) -> Vec<NodeId> {
        let inputs = graph.inputs(self.result);
        let slots = graph.node(self.result).op.overwrites();
        slots
            .iter()
            .filter_map(|&slot| inputs.get(slot).copied())
            .collect()
    }

    /// The numbers of the links that compute something; views move no bytes.
    fn computing(&self, graph: &Graph) -> Vec<usize> {
        let views = |&at: &usize| !graph.node(self.links[at].node).op.is_view();
        (0..self.links.len()).filter(views).collect()
    }

    /// The ops that compute something, in order; of a view alone, the view.
    pub fn ops(&self, graph: &Graph) -> Vec<Arc<dyn Op>> {
        let op = |link: &Link| Arc::clone(&graph.node(link.node).op);
        match self.links.as_slice() {
            [alone] => vec![op(alone)],
            links => self
                .computing(graph)
                .into_iter()
                .map(|at| op(&links[at]))
                .collect(),
        }
    }

    /// Where an input of a link comes from behind the views in between.
    fn behind_views(&self, graph: &Graph, mut input: LinkInput) -> LinkInput {
        while let LinkInput::Link(at) = input
            && graph.node(self.links[at].node).op.is_view()
            && let Some(&source) = self.links[at].inputs.first()
        {
            input = source;
        }
        input
    }

    /// The fusion by names, to be stored.
    pub fn named(&self, graph: &Graph) -> NamedFusion {
        let links = self.links.iter().map(|link| NamedLink {
            node: graph.name(link.node).to_owned(),
            op: graph.node(link.node).op.name().to_owned(),
            inputs: link.inputs.clone(),
        });
        NamedFusion {
            inputs: self
                .inputs
                .iter()
                .map(|&id| graph.name(id).to_owned())
                .collect(),
            links: links.collect(),
        }
    }
}

/// A [`Fusion`] whose nodes are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFusion {
    /// The nodes that it reads.
    pub inputs: Vec<String>,
    /// The nodes that it computes, in order; the last one gives the result.
    pub links: Vec<NamedLink>,
}

/// A [`Link`] whose node is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLink {
    /// The node.
    pub node: String,
    /// Its op.
    pub op: String,
    /// Its inputs, in order.
    pub inputs: Vec<LinkInput>,
}

/// What an executor computes in one kernel, beside single nodes.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    /// Chains of element-wise nodes of one type, where the executor writes kernels for any such chain.
    pub chains: Option<ChainLimits>,
    /// Lists of links that have a kernel of their own.
    pub patterns: Vec<Pattern>,
}

/// How long a chain of element-wise nodes may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLimits {
    /// Values that it reads at most.
    pub inputs: usize,
    /// Nodes at most.
    pub links: usize,
}

/// A list of links that a kernel computes. Views between them count for nothing, since they move no bytes. A list of
/// more than two links is found only if the shorter lists that it grows from are patterns as well.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// The links, in order.
    pub links: &'static [PatternLink],
}

/// An op of a pattern, and its inputs.
#[derive(Clone, Copy, Debug)]
pub struct PatternLink {
    is: fn(&dyn Op) -> bool,
    reads: &'static [PatternInput],
}

/// What an op of a pattern reads. The numbers are those of [`LinkInput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternInput {
    /// The result of an earlier link; an element-wise op reads it element for element.
    Link(usize),
    /// An input of the kernel, of any type that the op takes.
    Any(usize),
    /// An input of the type of the op's own output: nothing is broadcast.
    Same(usize),
    /// A vector `f32[C]` that is the same for each row of the op's output `f32[.., C]`.
    Row(usize),
}

impl PatternLink {
    /// The op `O` on these inputs.
    pub const fn of<O: Op>(reads: &'static [PatternInput]) -> Self {
        Self {
            is: |op| op.downcast::<O>().is_some(),
            reads,
        }
    }
}

/// Whether a vector is the same for each row of a tensor.
fn is_row(vector: &TensorType, of: &TensorType) -> bool {
    of.layout == Layout::Plain
        && vector.layout == Layout::Plain
        && vector.rank() == 1
        && vector.shape.last() == of.shape.last()
}

/// Whether an op reads one of its inputs at the place of the output element, with broadcasting.
fn reads_in_place(graph: &Graph, id: NodeId, slot: usize) -> bool {
    let scalar = graph.node(id).op.scalar(&graph.input_types(id));
    scalar.is_some_and(|scalar| scalar.arguments.contains(&(slot, Read::Broadcast)))
}

impl Capabilities {
    /// The number of the pattern whose kernel computes a fusion.
    pub fn pattern(&self, graph: &Graph, fusion: &Fusion) -> Option<usize> {
        self.patterns
            .iter()
            .position(|pattern| pattern.matches(graph, fusion))
    }
}

impl Pattern {
    /// Whether the kernel of this pattern computes a fusion.
    pub fn matches(&self, graph: &Graph, fusion: &Fusion) -> bool {
        let computing = fusion.computing(graph);
        computing.len() == self.links.len()
            && self.links.iter().zip(&computing).all(|(pattern, &at)| {
                let link = &fusion.links[at];
                (pattern.is)(&*graph.node(link.node).op)
                    && pattern.reads.len() == link.inputs.len()
                    && (0..link.inputs.len())
                        .all(|slot| pattern.reads(graph, fusion, &computing, (at, slot)))
            })
    }
}

impl PatternLink {
    /// Whether an input of a link, by their numbers, is what the pattern wants there.
    fn reads(
        &self,
        graph: &Graph,
        fusion: &Fusion,
        computing: &[usize],
        (at, slot): (usize, usize),
    ) -> bool {
        let link = &fusion.links[at];
        let ty = graph.ty(link.node);
        let outer = |number: usize| {
            (link.inputs[slot] == LinkInput::Outer(number))
                .then(|| fusion.inputs.get(number))
                .flatten()
                .map(|&input| graph.ty(input))
        };
        match self.reads[slot] {
            PatternInput::Link(number) => {
                let source = fusion.behind_views(graph, link.inputs[slot]);
                let passed = graph.input_types(link.node).swap_remove(slot);
                computing.get(number).map(|&at| LinkInput::Link(at)) == Some(source)
                    && (passed == *ty || !reads_in_place(graph, link.node, slot))
            }
            PatternInput::Any(number) => outer(number).is_some(),
            PatternInput::Same(number) => outer(number) == Some(ty),
            PatternInput::Row(number) => outer(number).is_some_and(|vector| is_row(vector, ty)),
        }
    }
}
