//! Cross-entropy over classes.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `cross_entropy`: `y = log(sum over k of exp(x_k)) - x_t` for each pixel; inputs `(x, t)`, `t` the class number.
///
/// - Shapes: `x: f32[N, K, H, W]`, `t: f32[N, 1, H, W]` `-> f32[N, 1, H, W]`.
/// - Gradient: [`CrossEntropyGrad`]; none flows to the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrossEntropy;

/// `cross_entropy_grad`: `dx_k = dy (softmax(x)_k - [k = t])`; inputs `(x, t, dy)`.
///
/// - Shapes: `x: f32[N, K, H, W]`, `t, dy: f32[N, 1, H, W]` `-> f32[N, K, H, W]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrossEntropyGrad;

/// `argmax`: the channel of the largest value of each pixel, the first one of equals.
///
/// - Shapes: `x: f32[N, K, H, W] -> f32[N, 1, H, W]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Argmax;

fn one_channel(x: &TensorType, t: &TensorType) -> Result<TensorType, ShapeError> {
    let [n, _, h, w] = x.as_image().map_err(|e| e.at([0]))?;
    let wanted = TensorType::image([n, 1, h, w]);
    if *t != wanted {
        return Err(ShapeError::new(format!(
            "logits {x} need a target {wanted} of class numbers, not {t}"
        ))
        .at([0, 1]));
    }
    Ok(wanted)
}

impl Named for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    const DOC: &'static str = "cross-entropy of class logits, pixel by pixel";
}

impl Op for CrossEntropy {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, t] = arity(inputs)?;
        one_channel(x, t)
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        4 * inputs[0].elements() as u64
    }
}

impl Gradient for CrossEntropy {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, t) = (back.input(0), back.input(1));
        Ok(vec![Some(back.add(CrossEntropyGrad, &[x, t, dy])?), None])
    }
}

impl Lower for CrossEntropy {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("x", Operand::Input(0)),
            ("target_class", Operand::Input(1)),
            ("y", Operand::Output),
        ];
        let (n, k) = (lowering.output().elements(), lowering.input(0).shape[1]);
        lowering.per_element(Self::NAME, n, &serde_json::json!({ "k": k }), &operands)
    }
}

impl ToOnnx for CrossEntropy {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let k = node.input_type(0).shape[1];
        let numbers: Vec<f32> = (0..k).map(|class| class as f32).collect();
        let classes = node.floats("classes", &[1, k, 1, 1], &numbers);
        let (x, target, zero) = (node.input(0)?, node.input(1)?, node.number("zero", 0.0));
        let axes = node.ints("axes", &[1]);
        let log = node.add("LogSoftmax", &[&x], &[("axis", Attribute::Int(1))]);
        let hit = node.add("Equal", &[&classes, &target], &[]);
        let picked = node.add("Where", &[&hit, &log, &zero], &[]);
        let sum = node.add(
            "ReduceSum",
            &[&picked, &axes],
            &[("keepdims", Attribute::Int(1))],
        );
        node.emit("Neg", &[&sum], &[])
    }
}

impl Named for CrossEntropyGrad {
    const NAME: &'static str = "cross_entropy_grad";
    const DOC: &'static str = "gradient of cross_entropy for its logits";
}

impl Op for CrossEntropyGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, t, dy] = arity(inputs)?;
        one_channel(x, t)?;
        one_channel(x, dy)?;
        Ok(x.clone())
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        5 * inputs[0].elements() as u64
    }
}

impl Gradient for CrossEntropyGrad {}

impl Lower for CrossEntropyGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [x, target, dy] = [Operand::Input(0), Operand::Input(1), Operand::Input(2)];
        let operands = [
            ("x", x),
            ("target_class", target),
            ("dy", dy),
            ("dx", Operand::Output),
        ];
        let (n, k) = (lowering.input(1).elements(), lowering.input(0).shape[1]);
        lowering.per_element(Self::NAME, n, &serde_json::json!({ "k": k }), &operands)
    }
}

impl ToOnnx for CrossEntropyGrad {}

impl Named for Argmax {
    const NAME: &'static str = "argmax";
    const DOC: &'static str = "the channel of the largest value of each pixel";
}

impl Op for Argmax {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, _, h, w] = x.as_image()?;
        Ok(TensorType::image([n, 1, h, w]))
    }
}

impl Gradient for Argmax {
    fn grad(&self, _: &mut Backward<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![None])
    }
}

impl Lower for Argmax {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        let (n, k) = (lowering.output().elements(), lowering.input(0).shape[1]);
        lowering.per_element(Self::NAME, n, &serde_json::json!({ "k": k }), &operands)
    }
}

impl ToOnnx for Argmax {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let x = node.input(0)?;
        let settings = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(1))];
        let class = node.add("ArgMax", &[&x], &settings);
        node.emit("Cast", &[&class], &[("to", Attribute::FLOAT)])
    }
}
