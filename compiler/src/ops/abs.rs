//! The absolute value.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity, broadcast};

/// `abs`: `y = |x|`, element by element.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = dy` where `x > 0`, `-dy` where `x < 0`; at the kink `x = 0` it is 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Abs;

/// `abs_grad`: `dx = sign(x) dy`, 0 where `x = 0`. Inputs `(x, dy)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AbsGrad;

impl Named for Abs {
    const NAME: &'static str = "abs";
    const DOC: &'static str = "|x|";
}

impl Op for Abs {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Abs {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let x = back.input(0);
        Ok(vec![Some(back.add(AbsGrad, &[x, dy])?)])
    }
}

impl Lower for Abs {}

impl ToOnnx for Abs {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same("Abs", &[])
    }
}

impl Named for AbsGrad {
    const NAME: &'static str = "abs_grad";
    const DOC: &'static str = "sign(x) dy";
}

impl Op for AbsGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy] = arity(inputs)?;
        broadcast(x, dy)
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for AbsGrad {}

impl Lower for AbsGrad {}

impl ToOnnx for AbsGrad {}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Abs::NAME,
    doc: "absolute value",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| b.output(Abs, x),
};
