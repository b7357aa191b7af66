//! Fusion: chains of element-wise ops become one node, and so one kernel that keeps what lies between in registers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::graph::{Graph, NodeId, Op, Read, Scalar};
use crate::plan::{Argument, Lower, LowerError, Lowering, Step};
use crate::tensor_type::{ShapeError, TensorType};

/// Buffers that a chain reads at most: with its output they stay within the default limit of eight. An input may be
/// bound twice (as vectors and as single elements), which this leaves room for.
const INPUTS: usize = 5;

/// Ops of a chain at most.
const STEPS: usize = 16;

/// `fused`: a chain of element-wise ops; the last one gives the output.
#[derive(Debug, Clone)]
pub struct Fused {
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    op: Arc<dyn Op>,
    sources: Vec<Source>,
}

/// Where a link takes an input from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Input(usize),
    Link(usize),
}

impl Fused {
    /// The names of the ops, in order.
    pub fn ops(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.links.iter().map(|link| link.op.name())
    }

    /// The type of each link's output.
    fn types(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, ShapeError> {
        let mut types: Vec<TensorType> = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let sources = link.types(inputs, &types)?;
            types.push(link.op.infer(&sources)?);
        }
        Ok(types)
    }
}

impl Link {
    fn types(
        &self,
        inputs: &[TensorType],
        links: &[TensorType],
    ) -> Result<Vec<TensorType>, ShapeError> {
        let missing = || ShapeError::new("a fused chain lacks an input");
        self.sources
            .iter()
            .map(|source| match *source {
                Source::Input(at) => inputs.get(at).cloned().ok_or_else(missing),
                Source::Link(at) => links.get(at).cloned().ok_or_else(missing),
            })
            .collect()
    }
}

impl Op for Fused {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn attributes(&self) -> serde_json::Value {
        json!({ "ops": self.ops().collect::<Vec<_>>() })
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        self.types(inputs)?
            .pop()
            .ok_or_else(|| ShapeError::new("a fused chain has no op"))
    }

    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        let Ok(types) = self.types(inputs) else {
            return 0;
        };
        let each = self.links.iter().zip(&types).map(|(link, ty)| {
            link.types(inputs, &types)
                .map_or(0, |sources| link.op.flops(&sources, ty))
        });
        each.sum()
    }
}

impl Lower for Fused {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let inputs = lowering.input_types();
        let types = self
            .types(&inputs)
            .map_err(|error| lowering.shape_error(error))?;
        let mut steps = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let sources = link
                .types(&inputs, &types)
                .map_err(|error| lowering.shape_error(error))?;
            let scalar = link
                .op
                .scalar(&sources)
                .ok_or_else(|| lowering.no_kernel())?;
            let arguments = scalar
                .arguments
                .iter()
                .map(|&(at, read)| match link.sources[at] {
                    Source::Input(input) => Argument::Input(input, read),
                    Source::Link(earlier) => Argument::Step(earlier),
                });
            steps.push(Step {
                op: link.op.name().to_owned(),
                arguments: arguments.collect(),
                constants: scalar.constants,
            });
        }
        lowering.chain(&steps)
    }
}

/// How a fused chain becomes a kernel; `None` for every other op.
pub fn lowering(op: &dyn Op) -> Option<&dyn Lower> {
    op.downcast::<Fused>().map(|op| op as &dyn Lower)
}

/// A chain in the making: nodes of the old graph in order, the last one its result.
#[derive(Debug, Clone)]
struct Chain {
    members: Vec<NodeId>,
    inputs: Vec<NodeId>,
}

/// The graph with chains of element-wise ops fused. A node joins the chain of its only reader if both have the same
/// type and the reader takes it element by element; outputs of the graph stay nodes of their own.
///
/// # Errors
/// None for a graph whose types hold; a fault of this pass otherwise.
pub fn fuse(graph: &Graph) -> Result<Graph, ShapeError> {
    let order = graph
        .topological()
        .map_err(|_| ShapeError::new("the graph has a cycle"))?;
    let mut chains: BTreeMap<NodeId, Chain> = BTreeMap::new();
    for &id in &order {
        let Some(scalar) = scalar_of(graph, id) else {
            continue;
        };
        let mut chain = Chain {
            members: vec![id],
            inputs: distinct(graph.inputs(id)),
        };
        for producer in distinct(graph.inputs(id)) {
            let Some(earlier) = chains.get(&producer) else {
                continue;
            };
            if !may_join(graph, producer, id, &scalar) {
                continue;
            }
            let inputs = distinct(
                chain
                    .inputs
                    .iter()
                    .copied()
                    .filter(|&input| input != producer)
                    .chain(earlier.inputs.iter().copied()),
            );
            if inputs.len() > INPUTS || chain.members.len() + earlier.members.len() > STEPS {
                continue;
            }
            let earlier = earlier.members.clone();
            chains.remove(&producer);
            chain.members.splice(0..0, earlier);
            chain.inputs = inputs;
        }
        chains.insert(id, chain);
    }
    rebuild(graph, &order, &chains)
}

fn scalar_of(graph: &Graph, id: NodeId) -> Option<Scalar> {
    graph.node(id).op.scalar(&graph.input_types(id))
}

fn distinct(ids: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
    let mut known = Vec::new();
    for id in ids {
        if !known.contains(&id) {
            known.push(id);
        }
    }
    known
}

fn may_join(graph: &Graph, producer: NodeId, reader: NodeId, scalar: &Scalar) -> bool {
    let inputs = graph.inputs(reader);
    graph.users(producer) == [reader]
        && graph.ty(producer) == graph.ty(reader)
        && !graph.outputs().values().any(|&id| id == producer)
        && !graph.effects().contains(&producer)
        && scalar
            .arguments
            .iter()
            .all(|&(at, read)| inputs[at] != producer || read == Read::Broadcast)
}

/// The new graph; a chain carries the name of its last op.
fn rebuild(
    graph: &Graph,
    order: &[NodeId],
    chains: &BTreeMap<NodeId, Chain>,
) -> Result<Graph, ShapeError> {
    let absorbed: Vec<NodeId> = chains
        .iter()
        .flat_map(|(last, chain)| {
            chain
                .members
                .iter()
                .copied()
                .filter(move |member| member != last)
        })
        .collect();
    let mut is_absorbed = vec![false; graph.capacity()];
    for id in absorbed {
        is_absorbed[id.index()] = true;
    }
    let mut fused = Graph::default();
    let mut new_id: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for &id in order.iter().filter(|id| !is_absorbed[id.index()]) {
        let node = graph.node(id);
        fused.set_origin(node.origin.clone());
        let (op, inputs): (Arc<dyn Op>, _) = match chains.get(&id) {
            Some(chain) if chain.members.len() > 1 => {
                (Arc::new(link(graph, chain)), chain.inputs.clone())
            }
            _ => (Arc::clone(&node.op), graph.inputs(id)),
        };
        let inputs: Vec<_> = inputs.iter().map(|input| new_id[input]).collect();
        let new = fused.add_shared(op, &inputs, node.name.clone())?;
        new_id.insert(id, new);
    }
    for (name, id) in graph.outputs() {
        fused.set_output(name.clone(), new_id[id]);
    }
    for id in graph.effects() {
        fused.add_effect(new_id[id]);
    }
    Ok(fused)
}

fn link(graph: &Graph, chain: &Chain) -> Fused {
    let source = |id: NodeId| match chain.members.iter().position(|member| *member == id) {
        Some(at) => Source::Link(at),
        None => Source::Input(
            chain
                .inputs
                .iter()
                .position(|input| *input == id)
                .unwrap_or_default(),
        ),
    };
    let links = chain.members.iter().map(|&member| Link {
        op: Arc::clone(&graph.node(member).op),
        sources: graph.inputs(member).into_iter().map(source).collect(),
    });
    Fused {
        links: links.collect(),
    }
}
