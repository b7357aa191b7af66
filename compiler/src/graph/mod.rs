//! The graph of typed operations: petgraph inside, [`NodeId`] outside.
//!
//! Every node has one output tensor. Node names are unique and come from the source
//! (`enc1.conv1.weight`), so that the same text names the checkpoint entry, the DOT node and the error.

mod backward;
mod fusion;
mod leaf;
mod op;
mod order;
mod origin;
mod patch;
mod scalar;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

pub use backward::{Backward, Gradient};
pub use fusion::{
    Capabilities, ChainLimits, Fusion, Link, LinkInput, NamedFusion, NamedLink, Pattern,
    PatternInput, PatternLink,
};
pub use leaf::{Constant, Init, Input, Parameter, ParameterKind, WeightKind, is_leaf};
pub use op::{Identity, Named, Op};
pub(crate) use order::ordered;
pub use origin::{Origin, Phase, Role};
pub use patch::{Changes, Patch};
pub use scalar::{Read, Scalar};
pub use verify::verify;

use crate::fault::Fault;
use crate::tensor_type::{ShapeError, TensorType};

/// Names a node of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(u32);

impl NodeId {
    /// The number behind the name, dense enough to index a table of [`Graph::capacity`] rows.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An operation in place: its name, its type, and where it comes from.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operation.
    pub op: Arc<dyn Op>,
    /// Unique, from the source.
    pub name: String,
    /// Type of the output.
    pub ty: TensorType,
    /// Where it comes from and what it is for.
    pub origin: Origin,
    /// Name of the weight whose place the node takes, where a rule has replaced the weight of a layer.
    pub replaces: Option<String>,
}

/// A directed acyclic graph of operations with named outputs and effects.
#[derive(Clone, Debug)]
pub struct Graph {
    inner: StableDiGraph<Node, u32>,
    names: BTreeMap<String, NodeId>,
    outputs: BTreeMap<String, NodeId>,
    effects: Vec<NodeId>,
    origin: Origin,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            inner: StableDiGraph::new(),
            names: BTreeMap::new(),
            outputs: BTreeMap::new(),
            effects: Vec::new(),
            origin: Origin::default(),
        }
    }
}

impl Graph {
    /// Where nodes that are added from now on come from.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The phase that nodes added from now on belong to; they belong to no layer.
    pub fn set_phase(&mut self, phase: Phase) {
        self.origin = Origin::of_phase(phase);
    }

    /// The layer that nodes added from now on belong to, in the same phase.
    pub fn set_layer(&mut self, path: &str) {
        if self.origin.layer.as_deref() != Some(path) {
            self.origin.layer = Some(path.into());
        }
    }

    /// Adds an operation. A name that is taken gets a number behind it.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(
        &mut self,
        op: impl Op,
        inputs: &[NodeId],
        name: impl Into<String>,
    ) -> Result<NodeId, ShapeError> {
        self.add_shared(Arc::new(op), inputs, name)
    }

    /// [`Graph::add`] for an operation that is shared already.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add_shared(
        &mut self,
        op: Arc<dyn Op>,
        inputs: &[NodeId],
        name: impl Into<String>,
    ) -> Result<NodeId, ShapeError> {
        let types: Vec<_> = inputs.iter().map(|&id| self.ty(id).clone()).collect();
        let node = Node {
            ty: op.infer(&types)?,
            op,
            name: name.into(),
            origin: self.origin.clone(),
            replaces: None,
        };
        Ok(self.insert(node, inputs))
    }

    /// Adds a node whose type is known to fit its inputs. A name that is taken gets a number behind it.
    fn insert(&mut self, node: Node, inputs: &[NodeId]) -> NodeId {
        let name = self.free_name(node.name);
        let node = Node {
            name: name.clone(),
            ..node
        };
        let index = self.inner.add_node(node);
        let id = NodeId(index.index() as u32);
        for (position, input) in inputs.iter().enumerate() {
            self.inner
                .add_edge(NodeIndex::new(input.index()), index, position as u32);
        }
        self.names.insert(name, id);
        id
    }

    fn free_name(&self, wanted: String) -> String {
        if !self.names.contains_key(&wanted) {
            return wanted;
        }
        let mut number = 2;
        loop {
            let name = format!("{wanted}#{number}");
            if !self.names.contains_key(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// The node behind `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.inner[NodeIndex::new(id.index())]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.inner[NodeIndex::new(id.index())]
    }

    /// The type of a node's output.
    pub fn ty(&self, id: NodeId) -> &TensorType {
        &self.node(id).ty
    }

    /// The name of a node.
    pub fn name(&self, id: NodeId) -> &str {
        &self.node(id).name
    }

    /// The op of a node as its own struct.
    pub fn op<T: Op>(&self, id: NodeId) -> Option<&T> {
        self.node(id).op.downcast()
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The path of the layer that a node belongs to; its own name outside of layers.
    pub fn layer(&self, id: NodeId) -> &str {
        let node = self.node(id);
        node.origin.layer.as_deref().unwrap_or(&node.name)
    }

    /// Records the weight whose place a node takes.
    pub(crate) fn set_replaces(&mut self, id: NodeId, weight: Option<String>) {
        self.node_mut(id).replaces = weight;
    }

    /// The weights that rules have replaced, by name, and the node that takes the place of each.
    pub fn replaced(&self) -> BTreeMap<String, NodeId> {
        let nodes = self.ids();
        nodes
            .filter_map(|id| Some((self.node(id).replaces.clone()?, id)))
            .collect()
    }

    /// The inputs of a node, in order.
    pub fn inputs(&self, id: NodeId) -> Vec<NodeId> {
        let mut edges: Vec<_> = self
            .inner
            .edges_directed(NodeIndex::new(id.index()), Direction::Incoming)
            .map(|edge| (*edge.weight(), NodeId(edge.source().index() as u32)))
            .collect();
        edges.sort_unstable();
        edges.into_iter().map(|(_, source)| source).collect()
    }

    /// The types of a node's inputs, in order.
    pub fn input_types(&self, id: NodeId) -> Vec<TensorType> {
        self.inputs(id)
            .into_iter()
            .map(|input| self.ty(input).clone())
            .collect()
    }

    /// The nodes that read a node, each once, in order of creation.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users: Vec<_> = self
            .inner
            .neighbors_directed(NodeIndex::new(id.index()), Direction::Outgoing)
            .map(|index| NodeId(index.index() as u32))
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// All nodes, in order of creation.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.inner
            .node_indices()
            .map(|index| NodeId(index.index() as u32))
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    /// Whether the graph holds no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the largest [`NodeId::index`].
    pub fn capacity(&self) -> usize {
        self.ids().map(|id| id.index() + 1).max().unwrap_or(0)
    }

    /// Names a node as an output.
    pub fn set_output(&mut self, name: impl Into<String>, id: NodeId) {
        self.outputs.insert(name.into(), id);
    }

    /// The outputs by name.
    pub fn outputs(&self) -> &BTreeMap<String, NodeId> {
        &self.outputs
    }

    /// Forgets the outputs whose name `keep` refuses.
    pub fn retain_outputs(&mut self, keep: impl Fn(&str) -> bool) {
        self.outputs.retain(|name, _| keep(name));
    }

    /// Lets nodes that are kept as effects go when no output needs them.
    pub fn clear_effects(&mut self) {
        self.effects.clear();
    }

    /// Lets the effects that `keep` refuses go when no output needs them.
    pub fn retain_effects(&mut self, keep: impl Fn(NodeId) -> bool) {
        self.effects.retain(|&id| keep(id));
    }

    /// Keeps a node alive that no output needs: it overwrites state, or is state that the network does not read.
    pub fn add_effect(&mut self, id: NodeId) {
        self.effects.push(id);
    }

    /// Nodes kept though no output needs them, in order of creation.
    pub fn effects(&self) -> &[NodeId] {
        &self.effects
    }

    /// Replaces the op of a leaf (a parameter that is frozen, say); the type must stay.
    ///
    /// # Errors
    /// The new op gives another type.
    pub fn set_op(&mut self, id: NodeId, op: impl Op) -> Result<(), ShapeError> {
        let ty = op.infer(&self.input_types(id))?;
        if ty != *self.ty(id) {
            return Err(ShapeError::new(format!(
                "`{}` cannot change from {} to {ty}",
                self.name(id),
                self.ty(id)
            )));
        }
        self.node_mut(id).op = Arc::new(op);
        Ok(())
    }

    /// Lets every reader of `old` (and every output) read `new` instead, except the nodes in `keep`.
    pub(crate) fn redirect(&mut self, old: NodeId, new: NodeId, keep: &[NodeId]) {
        let edges: Vec<_> = self
            .inner
            .edges_directed(NodeIndex::new(old.index()), Direction::Outgoing)
            .map(|edge| (edge.id(), edge.target(), *edge.weight()))
            .collect();
        for (edge, target, position) in edges {
            if keep.contains(&NodeId(target.index() as u32)) {
                continue;
            }
            self.inner.remove_edge(edge);
            self.inner
                .add_edge(NodeIndex::new(new.index()), target, position);
        }
        for output in self.outputs.values_mut().filter(|output| **output == old) {
            *output = new;
        }
    }

    /// Gives a node another name.
    pub(crate) fn rename(&mut self, id: NodeId, name: String) {
        let name = self.free_name(name);
        let node = &mut self.inner[NodeIndex::new(id.index())];
        self.names.remove(&node.name);
        node.name.clone_from(&name);
        self.names.insert(name, id);
    }

    /// Removes every node that neither an output nor an effect needs.
    pub fn prune(&mut self) {
        let mut live = vec![false; self.capacity()];
        let mut open: Vec<_> = self
            .outputs
            .values()
            .copied()
            .chain(self.effects.iter().copied())
            .collect();
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut live[id.index()], true) {
                open.extend(self.inputs(id));
            }
        }
        let dead: Vec<_> = self.ids().filter(|id| !live[id.index()]).collect();
        for id in dead {
            if let Some(node) = self.inner.remove_node(NodeIndex::new(id.index())) {
                self.names.remove(&node.name);
            }
        }
    }

    /// All nodes, each after its inputs, in order of creation as far as that allows, for the pass that asks.
    ///
    /// # Errors
    /// Nodes on a cycle.
    pub fn topological(&self, pass: &'static str) -> Result<Vec<NodeId>, Fault> {
        self.order(|id| self.inputs(id), |_| false)
            .map_err(|waiting| self.waiting(pass, &waiting))
    }

    /// All nodes, each after its inputs, and each node that overwrites another one after all other readers of
    /// that one. The order is a function of the graph alone; overwriting nodes run as early as they can, so that
    /// a gradient dies with its update.
    ///
    /// # Errors
    /// Nodes that wait for each other, since overwrites contradict the data flow.
    pub fn schedule(&self, pass: &'static str) -> Result<Vec<NodeId>, Fault> {
        let before = |id: NodeId| {
            let mut before = self.inputs(id);
            for &slot in self.node(id).op.overwrites() {
                if let Some(&state) = before.get(slot) {
                    before.extend(self.users(state).into_iter().filter(|&user| user != id));
                }
            }
            before
        };
        self.order(before, |id| self.node(id).op.overwrites().is_empty())
            .map_err(|waiting| self.waiting(pass, &waiting))
    }

    /// The fault of nodes that wait for each other.
    pub(crate) fn waiting(&self, pass: &'static str, waiting: &[NodeId]) -> Fault {
        let names: Vec<_> = waiting.iter().take(4).map(|&id| self.name(id)).collect();
        Fault::new(pass, names.join("`, `"), "an order of execution")
    }

    /// All nodes, each after those that `before` gives for it; of several that are ready, one that is not `late`, and then the
    /// one that was created first.
    fn order(
        &self,
        before: impl Fn(NodeId) -> Vec<NodeId>,
        late: impl Fn(NodeId) -> bool,
    ) -> Result<Vec<NodeId>, Vec<NodeId>> {
        let ids: Vec<NodeId> = self.ids().collect();
        let mut place = vec![0; self.capacity()];
        for (at, id) in ids.iter().enumerate() {
            place[id.index()] = at;
        }
        let before = |at: usize| {
            let before = before(ids[at]).into_iter();
            before.map(|id| place[id.index()]).collect()
        };
        let named = |order: Vec<usize>| order.into_iter().map(|at| ids[at]).collect();
        match ordered(ids.len(), before, |at| late(ids[at])) {
            Ok(order) => Ok(named(order)),
            Err(waiting) => Err(named(waiting)),
        }
    }
}
