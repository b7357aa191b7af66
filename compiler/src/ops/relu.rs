//! The rectifier.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity, broadcast};

/// `relu`: the rectifier `y = max(x, 0)`, element by element.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = 0` where `x <= 0`, the kink included, else `dy`.
/// - What is not a number stays so, forward, and lets `dy` through, backward, as in PyTorch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relu;

/// `relu_grad`: `dx = 0` where `x <= 0`, else `dy`. Inputs `(x, dy)`; `x` may be the output of relu as well.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReluGrad;

impl Named for Relu {
    const NAME: &'static str = "relu";
    const DOC: &'static str = "max(x, 0)";
}

impl Op for Relu {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Relu {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        // The output has the sign that matters, and reading it lets the input die early.
        let y = back.output();
        Ok(vec![Some(back.add(ReluGrad, &[y, dy])?)])
    }
}

impl Lower for Relu {}

impl ToOnnx for Relu {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same("Relu", &[])
    }
}

impl Named for ReluGrad {
    const NAME: &'static str = "relu_grad";
    const DOC: &'static str = "0 where x <= 0, else dy";
}

impl Op for ReluGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy] = arity(inputs)?;
        broadcast(x, dy)
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for ReluGrad {}

impl Lower for ReluGrad {}

impl ToOnnx for ReluGrad {}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Relu::NAME,
    doc: "rectifier max(x, 0)",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| b.output(Relu, x),
};
