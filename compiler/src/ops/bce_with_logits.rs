//! Binary cross-entropy.

use serde::{Deserialize, Serialize};

use super::arithmetic::Sub;
use super::sigmoid::Sigmoid;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `bce_with_logits`: `y = max(x, 0) - x t + log(1 + exp(-|x|))`, element by element; inputs `(x, t)`.
///
/// - Shapes: `x, t: f32[d..] -> f32[d..]`
/// - Gradient: `dx = dy (sigmoid(x) - t)`; none flows to the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BceWithLogits;

impl Named for BceWithLogits {
    const NAME: &'static str = "bce_with_logits";
    const DOC: &'static str = "binary cross-entropy of logits, element by element";
}

impl Op for BceWithLogits {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, t] = arity(inputs)?;
        if x != t {
            return Err(
                ShapeError::new(format!("the logits are {x}, the target is {t}")).at([0, 1]),
            );
        }
        Ok(x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        5 * output.elements() as u64
    }
}

impl Gradient for BceWithLogits {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, t) = (back.input(0), back.input(1));
        let p = back.add(Sigmoid, &[x])?;
        let slope = back.add(Sub, &[p, t])?;
        Ok(vec![Some(back.mul(dy, slope)?), None])
    }
}

impl Lower for BceWithLogits {}

impl ToOnnx for BceWithLogits {}
