//! The values of a tensor, counted in logical order, under another shape and layout.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `relayout`: element `i` of the output, counted row-major over its logical axes, is element `i` of the input, counted
/// so; what PyTorch calls `view`. Unlike [`Reshape`](super::Reshape) it moves bytes: a convolution weight
/// `[O, I, KH, KW]` is stored as `[KH, KW, I, O]`, but is counted in the order written.
///
/// - Shapes: `f32[..] -> to`, of as many elements.
/// - Gradient: the relayout back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relayout {
    /// Type of the output.
    pub to: TensorType,
}

/// The axes of a type with the distance that a step along each makes in logical and in memory order.
fn axes(ty: &TensorType, order: impl DoubleEndedIterator<Item = usize>) -> Vec<Value> {
    let memory = ty.strides();
    let logical = TensorType::plain(ty.shape.clone()).strides();
    // Innermost first: a kernel takes the last axis off an index first.
    let axes = order.rev().filter(|&axis| ty.shape[axis] > 1);
    axes.map(|axis| json!({ "extent": ty.shape[axis], "logical": logical[axis], "memory": memory[axis] }))
        .collect()
}

impl Named for Relayout {
    const NAME: &'static str = "relayout";
    const DOC: &'static str =
        "the same values, counted in logical order, as another shape and layout";
}

impl Op for Relayout {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        if x.elements() != self.to.elements() {
            let message = format!("{x} has not as many elements as {}", self.to);
            return Err(ShapeError::new(message).at([0]));
        }
        Ok(self.to.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Relayout {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let to = back.ty(back.input(0)).clone();
        Ok(vec![Some(back.add(Relayout { to }, &[dy])?)])
    }
}

impl Lower for Relayout {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let (x, y) = (lowering.input(0).clone(), lowering.output().clone());
        let constants = json!({
            "to": axes(&y, y.memory_order().into_iter()), "from": axes(&x, 0..x.rank()),
        });
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        lowering.per_element(Self::NAME, y.elements(), &constants, &operands)
    }
}

impl ToOnnx for Relayout {}
