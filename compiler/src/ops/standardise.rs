//! Weight standardisation (Qiao et al., arXiv:1903.10520).

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::graph::{Backward, Gradient, Identity, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `standardise`: `y = (w - mean) / sqrt(variance + eps)` with the mean and the biased variance of each output channel of
/// a convolution's weight.
///
/// - Shapes: `w: f32[O, I, KH, KW] -> f32[O, I, KH, KW]`.
/// - Gradient: through mean and variance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standardise {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `standardise_grad`: with `r = 1 / sqrt(variance + eps)` and `wh = (w - mean) r`, `dw = r (dy - mean(dy) - wh mean(dy wh))`
/// per output channel; inputs `(w, dy)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandardiseGrad {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// Weights and number of an output channel of the node's first input.
fn extents(lowering: &Lowering<'_>) -> Result<[usize; 2], LowerError> {
    let [o, i, kh, kw] = lowering
        .input(0)
        .as_kernel()
        .map_err(|error| lowering.shape_error(error))?;
    Ok([i * kh * kw, o])
}

impl Named for Standardise {
    const NAME: &'static str = "standardise";
    const DOC: &'static str = "a weight's output channels by their own mean and variance";
}

impl Op for Standardise {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [w] = arity(inputs)?;
        w.as_kernel().map_err(|e| e.at([0]))?;
        Ok(w.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        5 * output.elements() as u64
    }
}

impl Gradient for Standardise {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let w = back.input(0);
        Ok(vec![Some(
            back.add(StandardiseGrad { eps: self.eps }, &[w, dy])?,
        )])
    }
}

impl Lower for Standardise {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [count, channels] = extents(lowering)?;
        let stats = lowering.scratch(2 * channels);
        let w = Operand::Input(0);
        lowering.moments([1, count, channels], w, stats)?;
        let constants = json!({ "eps": self.eps, "channels": channels });
        let operands = [("w", w), ("stats", stats), ("y", Operand::Output)];
        lowering.per_element(Self::NAME, count * channels, &constants, &operands)
    }
}

impl ToOnnx for Standardise {}

impl Named for StandardiseGrad {
    const NAME: &'static str = "standardise_grad";
    const DOC: &'static str = "gradient of standardise";
}

impl Op for StandardiseGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [w, dy] = arity(inputs)?;
        w.as_kernel().map_err(|e| e.at([0]))?;
        if w != dy {
            return Err(ShapeError::new(format!("{w} and its gradient {dy} differ")).at([0, 1]));
        }
        Ok(w.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        12 * output.elements() as u64
    }
}

impl Gradient for StandardiseGrad {}

impl Lower for StandardiseGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [count, channels] = extents(lowering)?;
        let (w, dy) = (Operand::Input(0), ("dy", Operand::Input(1)));
        let stats = lowering.scratch(2 * channels);
        lowering.moments([1, count, channels], w, stats)?;
        let sums = lowering.scratch(2 * channels);
        lowering.reduce(
            "batch_norm_sums",
            [1, count, channels],
            2,
            &self.attributes(),
            &[("x", w), dy, ("stats", stats)],
            sums,
        )?;
        let constants = json!({ "eps": self.eps, "channels": channels, "count": count });
        let operands = [
            ("w", w),
            dy,
            ("stats", stats),
            ("sums", sums),
            ("dw", Operand::Output),
        ];
        lowering.per_element(Self::NAME, count * channels, &constants, &operands)
    }
}

impl ToOnnx for StandardiseGrad {}
