//! The step function.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `threshold`: 1 where `x > limit`, else 0.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: none flows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Threshold {
    /// The limit that `x` must exceed.
    pub limit: f64,
}

impl Named for Threshold {
    const NAME: &'static str = "threshold";
    const DOC: &'static str = "1 where x > limit, else 0";
}

impl Op for Threshold {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn element_wise(&self) -> bool {
        true
    }
}

impl Gradient for Threshold {
    fn grad(&self, _: &mut Backward<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![None])
    }
}

impl Lower for Threshold {}

impl ToOnnx for Threshold {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let (x, limit) = (node.input(0)?, node.number("limit", self.limit));
        let above = node.add("Greater", &[&x, &limit], &[]);
        node.emit("Cast", &[&above], &[("to", Attribute::FLOAT)])
    }
}
