//! A scale and an offset.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `affine`: `y = scale x + offset` with fixed numbers, element by element. With `scale = pi/2` and
/// `offset = -pi/4` it is the post-processing `sst`, `y = (pi/2)(p - 1/2)`.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = scale dy`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Affine {
    /// Factor.
    pub scale: f64,
    /// Summand.
    pub offset: f64,
}

impl Named for Affine {
    const NAME: &'static str = "affine";
    const DOC: &'static str = "scale * x + offset";
}

impl Op for Affine {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Affine {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![Some(back.affine(dy, self.scale, 0.0)?)])
    }
}

impl Lower for Affine {}

impl ToOnnx for Affine {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let x = node.input(0)?;
        let (scale, offset) = (
            node.number("scale", self.scale),
            node.number("offset", self.offset),
        );
        let scaled = node.add("Mul", &[&x, &scale], &[]);
        node.emit("Add", &[&scaled, &offset], &[])
    }
}
