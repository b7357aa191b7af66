//! Layer normalisation (Ba, Kiros and Hinton, arXiv:1607.06450): each row by its own mean and variance.

use serde::{Deserialize, Serialize};

use super::batch_norm::TakeRow;
use super::layer::{Builder, LayerInfo};
use crate::graph::{Backward, Gradient, Identity, Init, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Limits, Setting, Settings};
use crate::tensor_type::{Layout, ShapeError, TensorType, arity};

/// `layer_norm`: `y = (x - mean) / sqrt(variance + eps) gamma + beta` with the mean and the biased variance of each row;
/// inputs `(x, gamma, beta)`.
///
/// - Shapes: `x: f32[.., C]`, `gamma, beta: f32[C]` `-> f32[.., C]`, a row being the last axis; of a feature map
///   `[N, C, H, W]`, the channels of a pixel.
/// - Gradient: through mean and variance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerNorm {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `layer_norm_grad_input`: with `r = 1 / sqrt(variance + eps)`, `xh = (x - mean) r` and `g = dy gamma`,
/// `dx = r (g - mean(g) - xh mean(g xh))` along each row; inputs `(x, dy, gamma)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerNormGradInput {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `layer_norm_grad_parameters`: the sums over all rows of `dy` and of `dy (x - mean) / sqrt(variance + eps)`, which are
/// the gradients of beta and gamma; inputs `(x, dy)`.
///
/// - Shapes: `x, dy: f32[.., C] -> f32[2, C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerNormGradParameters {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// Rows and columns of `x`, whose vectors must have one entry a column.
fn check(x: &TensorType, vectors: &[(usize, &TensorType)]) -> Result<[usize; 2], ShapeError> {
    let [rows, columns] = x.rows().map_err(|e| e.at([0]))?;
    for &(at, vector) in vectors {
        if *vector != TensorType::plain([columns]) {
            return Err(ShapeError::new(format!(
                "rows of {columns} need a vector f32[{columns}], not {vector}"
            ))
            .at([0, at]));
        }
    }
    Ok([rows, columns])
}

fn same(x: &TensorType, dy: &TensorType) -> Result<(), ShapeError> {
    if x == dy {
        return Ok(());
    }
    Err(ShapeError::new(format!("{x} and its gradient {dy} differ")).at([0, 1]))
}

impl Named for LayerNorm {
    const NAME: &'static str = "layer_norm";
    const DOC: &'static str = "each row by its own mean and variance";
}

impl Op for LayerNorm {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, gamma, beta] = arity(inputs)?;
        check(x, &[(1, gamma), (2, beta)])?;
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        7 * output.elements() as u64
    }
}

impl Gradient for LayerNorm {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, gamma, eps) = (back.input(0), back.input(1), self.eps);
        let mut grads = vec![None; 3];
        if back.needs(0) {
            grads[0] = Some(back.add(LayerNormGradInput { eps }, &[x, dy, gamma])?);
        }
        if back.needs(1) || back.needs(2) {
            let sums = back.add(LayerNormGradParameters { eps }, &[x, dy])?;
            for (at, row) in [(1, 1), (2, 0)] {
                if back.needs(at) {
                    grads[at] = Some(back.add(TakeRow { row }, &[sums])?);
                }
            }
        }
        Ok(grads)
    }
}

impl Lower for LayerNorm {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("x", Operand::Input(0)),
            ("gamma", Operand::Input(1)),
            ("beta", Operand::Input(2)),
            ("y", Operand::Output),
        ];
        lowering.rows(Self::NAME, &self.attributes(), &operands)
    }
}

impl ToOnnx for LayerNorm {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let (x, gamma, beta) = (node.input(0)?, node.input(1)?, node.input(2)?);
        let settings = [
            ("axis", Attribute::Int(-1)),
            ("epsilon", Attribute::Float(self.eps)),
        ];
        if node.output_type().layout == Layout::Plain {
            return node.emit("LayerNormalization", &[&x, &gamma, &beta], &settings);
        }
        // The channels of a feature map are last in memory, but not in its shape.
        let rows = node.transpose(&x, &[0, 2, 3, 1]);
        let y = node.add("LayerNormalization", &[&rows, &gamma, &beta], &settings);
        node.emit(
            "Transpose",
            &[&y],
            &[("perm", Attribute::sizes([0, 3, 1, 2]))],
        )
    }
}

impl Named for LayerNormGradInput {
    const NAME: &'static str = "layer_norm_grad_input";
    const DOC: &'static str = "gradient of layer_norm for its input";
}

impl Op for LayerNormGradInput {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy, gamma] = arity(inputs)?;
        check(x, &[(2, gamma)])?;
        same(x, dy)?;
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        14 * output.elements() as u64
    }
}

impl Gradient for LayerNormGradInput {}

impl Lower for LayerNormGradInput {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("x", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("gamma", Operand::Input(2)),
            ("dx", Operand::Output),
        ];
        lowering.rows(Self::NAME, &self.attributes(), &operands)
    }
}

impl ToOnnx for LayerNormGradInput {}

impl Named for LayerNormGradParameters {
    const NAME: &'static str = "layer_norm_grad_parameters";
    const DOC: &'static str = "gradient of layer_norm for its bias and weight";
}

impl Op for LayerNormGradParameters {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy] = arity(inputs)?;
        let [_, columns] = check(x, &[])?;
        same(x, dy)?;
        Ok(TensorType::plain([2, columns]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        9 * inputs[0].elements() as u64
    }
}

impl Gradient for LayerNormGradParameters {}

impl Lower for LayerNormGradParameters {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [rows, columns] = lowering
            .input(0)
            .rows()
            .map_err(|error| lowering.shape_error(error))?;
        let stats = lowering.scratch(2 * rows);
        let x = ("x", Operand::Input(0));
        let constants = self.attributes();
        lowering.rows("shared/row_stats", &constants, &[x, ("stats", stats)])?;
        let operands = [x, ("dy", Operand::Input(1)), ("stats", stats)];
        lowering.reduce(
            Self::NAME,
            [1, rows, columns],
            2,
            &constants,
            &operands,
            Operand::Output,
        )
    }
}

impl ToOnnx for LayerNormGradParameters {}

fn layer_norm(
    b: &mut Builder<'_>,
    tensors: &[NodeId],
    settings: &Settings,
) -> Result<NodeId, ShapeError> {
    let x = tensors[0];
    let [_, columns] = b.ty(x).rows().map_err(|e| e.at([0]))?;
    let vector = TensorType::plain([columns]);
    let gamma = b.parameter("weight", vector.clone(), Init::Constant { value: 1.0 })?;
    let beta = b.parameter("bias", vector, Init::Constant { value: 0.0 })?;
    let eps = settings.float("eps");
    b.output(LayerNorm { eps }, &[x, gamma, beta])
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: LayerNorm::NAME,
    doc: "normalisation along the last axis of tokens, or over the channels of each pixel of a map",
    tensors: (1, 1),
    settings: &[Setting {
        name: "eps",
        kind: Kind::Float(Limits::POSITIVE),
        default: Some("1e-5"),
        doc: "added to the variance",
    }],
    build: layer_norm,
};
