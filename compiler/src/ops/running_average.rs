//! Running statistics.

use serde::{Deserialize, Serialize};

use crate::graph::{Gradient, Identity, Named, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `running_average`: `state = (1 - momentum) state + momentum factor stats[row]`, in place; inputs `(state, stats)`.
///
/// - Shapes: `state: f32[C]`, `stats: f32[2, C]` `-> f32[C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunningAverage {
    /// Weight of the new value.
    pub momentum: f64,
    /// Row of the statistics.
    pub row: usize,
    /// Factor on the new value: n / (n - 1) makes a biased variance unbiased.
    pub factor: f64,
}

impl Named for RunningAverage {
    const NAME: &'static str = "running_average";
    const DOC: &'static str = "exponential moving average of a row of batch statistics";
}

impl Op for RunningAverage {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [state, stats] = arity(inputs)?;
        if state.rank() != 1 || *stats != TensorType::plain([2, state.shape[0]]) || self.row > 1 {
            return Err(ShapeError::new(format!(
                "{state} is no running statistic of {stats}"
            )));
        }
        Ok(state.clone())
    }
    fn overwrites(&self) -> &'static [usize] {
        &[0]
    }
}

impl Gradient for RunningAverage {}

impl Lower for RunningAverage {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("state", Operand::Input(0)), ("stats", Operand::Input(1))];
        let n = lowering.output().elements();
        lowering.per_element(Self::NAME, n, &self.attributes(), &operands)
    }
}

impl ToOnnx for RunningAverage {}
