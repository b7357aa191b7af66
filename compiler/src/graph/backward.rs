//! How an op is differentiated, and what its gradient rule works with.

use super::{Graph, NodeId, Op, Phase};
use crate::tensor_type::{ShapeError, TensorType};

/// The gradient rule of an op.
pub trait Gradient: Op {
    /// Adds the nodes that carry the gradient `dy` of the output to the inputs, one entry per input; `None` where
    /// no gradient flows. `back.needs(i)` says whether input `i` wants one.
    ///
    /// # Errors
    /// The op has no gradient.
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let _ = (back, dy);
        Err(ShapeError::new(format!(
            "`{}` has no gradient",
            self.name()
        )))
    }
}

/// The surroundings of one node while its gradient is built. New nodes are named `<node>.grad...`.
pub struct Backward<'g> {
    graph: &'g mut Graph,
    node: NodeId,
    inputs: Vec<NodeId>,
    needs: Vec<bool>,
}

impl<'g> Backward<'g> {
    pub(crate) fn new(graph: &'g mut Graph, node: NodeId, needs: Vec<bool>) -> Self {
        let inputs = graph.inputs(node);
        // A gradient belongs to the layer of its node and has its role.
        let origin = graph.node(node).origin.clone();
        graph.set_origin(origin.in_phase(Phase::Backward));
        Self {
            graph,
            node,
            inputs,
            needs,
        }
    }

    /// The `i`-th input of the node.
    pub fn input(&self, i: usize) -> NodeId {
        self.inputs[i]
    }

    /// The node itself.
    pub fn output(&self) -> NodeId {
        self.node
    }

    /// Number of inputs.
    pub fn arity(&self) -> usize {
        self.inputs.len()
    }

    /// Whether input `i` wants a gradient.
    pub fn needs(&self, i: usize) -> bool {
        self.needs[i]
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &TensorType {
        self.graph.ty(id)
    }

    /// The op of a node as its own struct.
    pub fn op<T: Op>(&self, id: NodeId) -> Option<&T> {
        self.graph.op(id)
    }

    /// Adds a node of the backward pass.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(&mut self, op: impl Op, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        let name = format!("{}.grad.{}", self.graph.name(self.node), op.name());
        self.graph.add(op, inputs, name)
    }
}
