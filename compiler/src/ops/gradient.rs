//! The ops that gradient rules share: products, scaling, and sums over broadcast axes.

use super::affine::Affine;
use super::arithmetic::Mul;
use super::reduce_sum::ReduceSum;
use super::reshape::Reshape;
use crate::graph::{Backward, NodeId};
use crate::tensor_type::{ShapeError, TensorType};

impl Backward<'_> {
    /// `a * b`, element by element.
    ///
    /// # Errors
    /// Types that do not broadcast.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> Result<NodeId, ShapeError> {
        self.add(Mul, &[a, b])
    }

    /// `scale * x + offset`.
    ///
    /// # Errors
    /// None that depends on the input.
    pub fn affine(&mut self, x: NodeId, scale: f64, offset: f64) -> Result<NodeId, ShapeError> {
        self.add(Affine { scale, offset }, &[x])
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
            self.add(ReduceSum { axes }, &[dy])?
        };
        if self.ty(sum) == ty {
            Ok(sum)
        } else {
            self.add(Reshape { to: ty.clone() }, &[sum])
        }
    }
}
