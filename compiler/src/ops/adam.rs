//! Adam and AdamW.

use serde::{Deserialize, Serialize};

use crate::graph::{Gradient, Identity, Named, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `adam`: one step of Adam (Kingma and Ba, arXiv:1412.6980) or AdamW (arXiv:1711.05101), in place;
/// inputs `(w, m, v, g, schedule)` with `schedule = [lr, 1/(1 - beta1^t), 1/sqrt(1 - beta2^t)]`.
///
/// `g += weight_decay w` (L2) or `w -= lr weight_decay w` (decoupled); `m = beta1 m + (1 - beta1) g`;
/// `v = beta2 v + (1 - beta2) g^2`; `w -= lr schedule[1] m / (sqrt(v) schedule[2] + eps)`, as PyTorch computes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether the decay acts on the weight instead of the gradient (AdamW).
    pub decoupled: bool,
}

impl Named for Adam {
    const NAME: &'static str = "adam";
    const DOC: &'static str = "one step of Adam or AdamW on a parameter and its two moments";
}

impl Op for Adam {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [w, m, v, g, schedule] = arity(inputs)?;
        if w != m || w != v || w != g || *schedule != TensorType::plain([3]) {
            return Err(ShapeError::new(format!(
                "{w}, {m}, {v}, {g} and {schedule} do not belong together"
            )));
        }
        Ok(w.clone())
    }
    fn overwrites(&self) -> &'static [usize] {
        &[0, 1, 2]
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        12 * output.elements() as u64
    }
}

impl Gradient for Adam {}

impl Lower for Adam {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let names = ["w", "m", "v", "g", "schedule"];
        let operands: Vec<_> = names.into_iter().zip((0..).map(Operand::Input)).collect();
        let n = lowering.output().elements();
        lowering.per_element(Self::NAME, n, &self.attributes(), &operands)
    }
}

impl ToOnnx for Adam {}
