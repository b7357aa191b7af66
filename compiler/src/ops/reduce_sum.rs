//! Sums over axes.

use serde::{Deserialize, Serialize};

use super::expand::Expand;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `reduce_sum`: the sum over `axes` (logical), which stay with extent one.
///
/// - Shapes: `f32[d..] -> f32[d.. with 1 at the axes]`
/// - Gradient: [`Expand`] of `dy`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReduceSum {
    /// Logical axes, ascending.
    pub axes: Vec<usize>,
}

impl Named for ReduceSum {
    const NAME: &'static str = "reduce_sum";
    const DOC: &'static str = "sum over axes, which stay with extent one";
}

impl Op for ReduceSum {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let mut ty = x.clone();
        for &axis in &self.axes {
            match ty.shape.get_mut(axis) {
                Some(extent) => *extent = 1,
                None => return Err(ShapeError::new(format!("{x} has no axis {axis}")).at([0])),
            }
        }
        Ok(ty)
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        inputs[0].elements() as u64
    }
}

impl Gradient for ReduceSum {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let to = back.ty(back.input(0)).clone();
        Ok(vec![Some(back.add(Expand { to }, &[dy])?)])
    }
}

impl Lower for ReduceSum {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let x = lowering.input(0);
        let axes: Vec<_> = x
            .memory_order()
            .into_iter()
            .map(|axis| (x.shape[axis], self.axes.contains(&axis)))
            .collect();
        lowering.reduce_axes(&axes)
    }
}

impl ToOnnx for ReduceSum {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        let (x, axes) = (node.input(0)?, node.ints("axes", &axes));
        node.emit(
            "ReduceSum",
            &[&x, &axes],
            &[("keepdims", Attribute::Int(1))],
        )
    }
}
