//! The four arithmetic operations, with broadcasting.

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::layer::{Builder, LayerInfo};
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::setting::{Kind, Limits, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity, broadcast};

macro_rules! binary {
    ($op:ident, $name:literal, $onnx:literal, $formula:literal, $gradient:literal, $back:ident, $dy:ident, $grad:expr) => {
        #[doc = concat!("`", $name, "`: `y = ", $formula, "`. Gradient: ", $gradient, ".")]
        ///
        /// - Shapes: `a, b -> y`, broadcast as numpy does.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub struct $op;

        impl Named for $op {
            const NAME: &'static str = $name;
            const DOC: &'static str = $formula;
        }

        impl Op for $op {
            fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
                let [a, b] = arity(inputs)?;
                broadcast(a, b)
            }
            fn element_wise(&self) -> bool {
                true
            }
        }

        impl Gradient for $op {
            fn grad(
                &self,
                $back: &mut Backward<'_>,
                $dy: NodeId,
            ) -> Result<Vec<Option<NodeId>>, ShapeError> {
                $grad
            }
        }

        impl Lower for $op {}

        impl ToOnnx for $op {
            fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
                node.same($onnx, &[])
            }
        }
    };
}

/// The gradients of both sides, summed to the sides' own shapes.
fn both(
    back: &mut Backward<'_>,
    a: impl FnOnce(&mut Backward<'_>) -> Result<NodeId, ShapeError>,
    b: impl FnOnce(&mut Backward<'_>) -> Result<NodeId, ShapeError>,
) -> Result<Vec<Option<NodeId>>, ShapeError> {
    let mut grads = vec![None, None];
    if back.needs(0) {
        let (da, ty) = (a(back)?, back.ty(back.input(0)).clone());
        grads[0] = Some(back.sum_to(da, &ty)?);
    }
    if back.needs(1) {
        let (db, ty) = (b(back)?, back.ty(back.input(1)).clone());
        grads[1] = Some(back.sum_to(db, &ty)?);
    }
    Ok(grads)
}

binary!(
    Add,
    "add",
    "Add",
    "a + b",
    "`da = dy`, `db = dy`",
    back,
    dy,
    both(back, |_| Ok(dy), |_| Ok(dy))
);
binary!(
    Sub,
    "sub",
    "Sub",
    "a - b",
    "`da = dy`, `db = -dy`",
    back,
    dy,
    both(back, |_| Ok(dy), |back| back.affine(dy, -1.0, 0.0))
);
binary!(
    Mul,
    "mul",
    "Mul",
    "a * b",
    "`da = dy b`, `db = dy a`",
    back,
    dy,
    {
        let (a, b) = (back.input(0), back.input(1));
        both(back, |back| back.mul(dy, b), |back| back.mul(dy, a))
    }
);
binary!(
    Div,
    "div",
    "Div",
    "a / b",
    "`da = dy / b`, `db = -dy y / b`",
    back,
    dy,
    {
        let (y, b) = (back.output(), back.input(1));
        both(
            back,
            |back| back.add(Div, &[dy, b]),
            |back| {
                let scaled = back.mul(dy, y)?;
                let ratio = back.add(Div, &[scaled, b])?;
                back.affine(ratio, -1.0, 0.0)
            },
        )
    }
);

/// `a + b + ...`: the sum of two or more tensors, added left to right.
fn sum(b: &mut Builder<'_>, tensors: &[NodeId]) -> Result<NodeId, ShapeError> {
    let (last, rest) = tensors
        .split_last()
        .ok_or_else(|| ShapeError::new("a sum needs two tensors"))?;
    let mut total = rest[0];
    for &next in &rest[1..] {
        total = b.add(Add, &[total, next], "sum")?;
    }
    b.output(Add, &[total, *last])
}

pub(super) const ADD: LayerInfo = LayerInfo {
    name: Add::NAME,
    doc: "sum of tensors; `a + b` is the same",
    tensors: (2, 16),
    settings: &[],
    build: |b, t, _| sum(b, t),
};
pub(super) const SUB: LayerInfo = LayerInfo {
    name: Sub::NAME,
    doc: "difference; `a - b` is the same",
    tensors: (2, 2),
    settings: &[],
    build: |b, t, _| b.output(Sub, t),
};
pub(super) const MUL: LayerInfo = LayerInfo {
    name: Mul::NAME,
    doc: "product; `a * b` is the same",
    tensors: (2, 2),
    settings: &[],
    build: |b, t, _| b.output(Mul, t),
};
pub(super) const DIV: LayerInfo = LayerInfo {
    name: Div::NAME,
    doc: "quotient; `a / b` is the same",
    tensors: (2, 2),
    settings: &[],
    build: |b, t, _| b.output(Div, t),
};

pub(super) const SCALE: LayerInfo = LayerInfo {
    name: "scale",
    doc: "x times a number; `by * x` is the same",
    tensors: (1, 1),
    settings: &[Setting {
        name: "by",
        kind: Kind::Float(Limits::ANY),
        default: None,
        doc: "the factor",
    }],
    build: |b, x, settings| scaled(b, x[0], settings.float("by"), 0.0),
};

/// Adds `scale * x + offset` as the layer's output: what `2 * x` and `x + 1` mean.
///
/// # Errors
/// None that depends on the input.
pub fn scaled(
    b: &mut Builder<'_>,
    x: NodeId,
    scale: f64,
    offset: f64,
) -> Result<NodeId, ShapeError> {
    b.output(Affine { scale, offset }, &[x])
}
