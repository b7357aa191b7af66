//! Stochastic gradient descent.

use serde::{Deserialize, Serialize};

use crate::graph::{Gradient, Identity, Named, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `sgd`: one step of gradient descent with momentum and L2 decay, in place; inputs `(w, m, g, schedule)`,
/// `schedule[0]` the learning rate: `g += weight_decay w; m = momentum m + g; w -= lr (g + momentum m | m)`.
///
/// The first step equals PyTorch's, since the momentum buffer starts at 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sgd {
    /// Momentum.
    pub momentum: f64,
    /// L2 weight decay.
    pub weight_decay: f64,
    /// Whether the step looks ahead (Nesterov).
    pub nesterov: bool,
}

impl Named for Sgd {
    const NAME: &'static str = "sgd";
    const DOC: &'static str = "one step of stochastic gradient descent with momentum";
}

impl Op for Sgd {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [w, m, g, schedule] = arity(inputs)?;
        if w != m || w != g || *schedule != TensorType::plain([3]) {
            return Err(ShapeError::new(format!(
                "{w}, {m}, {g} and {schedule} do not belong together"
            )));
        }
        Ok(w.clone())
    }
    fn overwrites(&self) -> &'static [usize] {
        &[0, 1]
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        5 * output.elements() as u64
    }
}

impl Gradient for Sgd {}

impl Lower for Sgd {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let names = ["w", "m", "g", "schedule"];
        let operands: Vec<_> = names.into_iter().zip((0..).map(Operand::Input)).collect();
        let n = lowering.output().elements();
        lowering.per_element(Self::NAME, n, &self.attributes(), &operands)
    }
}

impl ToOnnx for Sgd {}
