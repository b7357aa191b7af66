//! Repetition along axes of extent one.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity, broadcast};

/// `expand`: axes of extent one repeated until the tensor has type `to`.
///
/// - Gradient: the sum of `dy` over the repeated axes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expand {
    /// Type of the output.
    pub to: TensorType,
}

impl Named for Expand {
    const NAME: &'static str = "expand";
    const DOC: &'static str = "axes of extent one repeated";
}

impl Op for Expand {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        if broadcast(x, &self.to)? != self.to {
            return Err(ShapeError::new(format!("{x} does not expand to {}", self.to)).at([0]));
        }
        Ok(self.to.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Expand {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let ty = back.ty(back.input(0)).clone();
        Ok(vec![Some(back.sum_to(dy, &ty)?)])
    }
}

impl Lower for Expand {}

impl ToOnnx for Expand {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let (to, from) = (
            node.output_type().shape.clone(),
            node.input_type(0).shape.clone(),
        );
        let missing = to.len() - from.len();
        // An axis that stays is left to the input, so that the batch is free.
        let extent = |axis: usize| match axis.checked_sub(missing) {
            Some(at) if from[at] == to[axis] => 1,
            _ => to[axis] as i64,
        };
        let shape: Vec<i64> = (0..to.len()).map(extent).collect();
        let (x, shape) = (node.input(0)?, node.ints("shape", &shape));
        node.emit("Expand", &[&x, &shape], &[])
    }
}
