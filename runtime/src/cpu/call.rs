//! What a function is given.

use std::sync::Arc;

use hqcc_compiler::graph::Op;
use hqcc_compiler::tensor_type::TensorType;

/// One evaluation of a node, or of a few joined ones.
pub struct Call<'a, T> {
    /// The ops with their attributes, in order.
    pub ops: &'a [Arc<dyn Op>],
    /// The inputs' types.
    pub types: &'a [TensorType],
    /// The inputs' values in memory order; empty where the op overwrites.
    pub inputs: &'a [&'a [T]],
    /// The inputs that the op overwrites, in the order it names them.
    pub state: &'a mut [&'a mut [T]],
    /// The output's type.
    pub ty: &'a TensorType,
    /// The output's values, to be written; empty when the output is the first overwritten input.
    pub output: &'a mut [T],
}

/// A node whose op is not one that the function computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongOp;

/// Evaluates a node.
pub type Function<T> = fn(&mut Call<'_, T>) -> Result<(), WrongOp>;

impl<'a, T> Call<'a, T> {
    /// The op `O` as its own struct.
    ///
    /// # Errors
    /// No node has this op.
    pub fn op<O: Op>(&self) -> Result<&'a O, WrongOp> {
        self.ops.iter().find_map(|op| op.downcast()).ok_or(WrongOp)
    }

    /// `[N, C, H, W]` of input `i`.
    ///
    /// # Errors
    /// The input is not a feature map.
    pub fn image(&self, i: usize) -> Result<[usize; 4], WrongOp> {
        self.types
            .get(i)
            .and_then(|ty| ty.as_image().ok())
            .ok_or(WrongOp)
    }

    /// `[N, C, H, W]` of the output.
    ///
    /// # Errors
    /// The output is not a feature map.
    pub fn output_image(&self) -> Result<[usize; 4], WrongOp> {
        self.ty.as_image().map_err(|_| WrongOp)
    }
}
