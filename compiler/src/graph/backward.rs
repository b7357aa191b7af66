//! What a gradient rule works with.

use super::{Graph, NodeId, Op};
use crate::ops;
use crate::tensor_type::{ShapeError, TensorType};

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

    /// The inputs of another node.
    pub fn inputs_of(&self, id: NodeId) -> Vec<NodeId> {
        self.graph.inputs(id)
    }

    /// Adds a node of the backward pass.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(&mut self, op: impl Op, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        let name = format!("{}.grad.{}", self.graph.name(self.node), op.name());
        self.graph.add(op, inputs, name)
    }

    /// `a * b`, element by element.
    ///
    /// # Errors
    /// Types that do not broadcast.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, ShapeError> {
        self.add(ops::Mul, &[a, b])
    }

    /// `scale * x + offset`.
    ///
    /// # Errors
    /// None that depends on the input.
    pub fn affine(&mut self, x: NodeId, scale: f64, offset: f64) -> Result<NodeId, ShapeError> {
        self.add(ops::Affine { scale, offset }, &[x])
    }

    /// Sums a gradient over the axes along which a tensor of type `ty` was broadcast.
    ///
    /// # Errors
    /// `ty` does not broadcast to the gradient's type.
    pub fn sum_to(&mut self, dy: NodeId, ty: &TensorType) -> Result<NodeId, ShapeError> {
        let from = self.ty(dy).clone();
        if from == *ty {
            return Ok(dy);
        }
        let missing = from.rank() - ty.rank();
        let axes: Vec<_> = (0..from.rank())
            .filter(|&a| a < missing || (ty.shape[a - missing] == 1 && from.shape[a] != 1))
            .collect();
        let sum = if axes.is_empty() {
            dy
        } else {
            self.add(ops::ReduceSum { axes }, &[dy])?
        };
        if self.ty(sum) == ty {
            Ok(sum)
        } else {
            self.add(ops::Reshape { to: ty.clone() }, &[sum])
        }
    }
}
