//! Softmax over rows.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{Layout, ShapeError, TensorType, arity};

/// `softmax`: `y_i = exp(x_i - m) / sum_j exp(x_j - m)` along each row, `m` its largest element.
///
/// - Shapes: `x: f32[.., C] -> f32[.., C]`, a row being the last axis; of a feature map `[N, C, H, W]`, the channels of
///   a pixel.
/// - Gradient: `dx_i = y_i (dy_i - sum_j y_j dy_j)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Softmax;

/// `softmax_grad`: `dx_i = y_i (dy_i - sum_j y_j dy_j)` along each row; inputs `(y, dy)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SoftmaxGrad;

impl Named for Softmax {
    const NAME: &'static str = "softmax";
    const DOC: &'static str = "exponentials of each row, divided by their sum";
}

impl Op for Softmax {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        x.rows().map_err(|e| e.at([0]))?;
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        20 * output.elements() as u64
    }
}

impl Gradient for Softmax {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let y = back.output();
        Ok(vec![Some(back.add(SoftmaxGrad, &[y, dy])?)])
    }
}

impl Lower for Softmax {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        lowering.rows(Self::NAME, &json!({}), &operands)
    }
}

impl ToOnnx for Softmax {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let axis = if node.output_type().layout == Layout::Plain {
            -1
        } else {
            1
        };
        node.same("Softmax", &[("axis", Attribute::Int(axis))])
    }
}

impl Named for SoftmaxGrad {
    const NAME: &'static str = "softmax_grad";
    const DOC: &'static str = "gradient of softmax";
}

impl Op for SoftmaxGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [y, dy] = arity(inputs)?;
        y.rows().map_err(|e| e.at([0]))?;
        if y != dy {
            return Err(ShapeError::new(format!("{y} and {dy} differ")).at([0, 1]));
        }
        Ok(y.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        4 * output.elements() as u64
    }
}

impl Gradient for SoftmaxGrad {}

impl Lower for SoftmaxGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("y", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("dx", Operand::Output),
        ];
        lowering.rows(Self::NAME, &json!({}), &operands)
    }
}

impl ToOnnx for SoftmaxGrad {}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Softmax::NAME,
    doc: "softmax along the last axis of tokens, or over the channels of a map",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| b.output(Softmax, x),
};
