//! The logistic function.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `sigmoid`: `y = 1 / (1 + exp(-x))`, element by element.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = dy y (1 - y)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sigmoid;

impl Named for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const DOC: &'static str = "1 / (1 + exp(-x))";
}

impl Op for Sigmoid {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Sigmoid {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let y = back.output();
        let rest = back.affine(y, -1.0, 1.0)?;
        let slope = back.mul(y, rest)?;
        Ok(vec![Some(back.mul(dy, slope)?)])
    }
}

impl Lower for Sigmoid {}

impl ToOnnx for Sigmoid {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same("Sigmoid", &[])
    }
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Sigmoid::NAME,
    doc: "logistic function 1 / (1 + exp(-x))",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| b.output(Sigmoid, x),
};
