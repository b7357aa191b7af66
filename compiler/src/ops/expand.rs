//! Repetition along axes of extent one.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, NodeId, Op};
use crate::op_identity;
use crate::tensor_type::{ShapeError, TensorType, arity, broadcast};

/// `expand`: axes of extent one repeated until the tensor has type `to`.
///
/// - Gradient: the sum of `dy` over the repeated axes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expand {
    /// Type of the output.
    pub to: TensorType,
}

impl Op for Expand {
    op_identity!("expand");
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        if broadcast(x, &self.to)? != self.to {
            return Err(ShapeError::new(format!("{x} does not expand to {}", self.to)).at([0]));
        }
        Ok(self.to.clone())
    }
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let ty = back.ty(back.input(0)).clone();
        Ok(vec![Some(back.sum_to(dy, &ty)?)])
    }
    fn element_wise(&self) -> bool {
        true
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}
