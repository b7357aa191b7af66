//! The exponential function.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `exp`: `y = e^x`, element by element.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = dy y`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exp;

impl Named for Exp {
    const NAME: &'static str = "exp";
    const DOC: &'static str = "e to the power x";
}

impl Op for Exp {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Exp {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let y = back.output();
        Ok(vec![Some(back.mul(dy, y)?)])
    }
}

impl Lower for Exp {}

impl ToOnnx for Exp {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same("Exp", &[])
    }
}
