//! Max pooling.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `max_pool2d`: the largest value of each window; padding counts as minus infinity, and the last rows and columns
/// that fill no window are left out.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, C, OH, OW]`, `OH = floor((H + 2 padding - k) / stride) + 1`.
/// - Gradient: [`MaxPool2dGrad`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MaxPool2d {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Padding on each side, at most half the window.
    pub padding: [usize; 2],
}

/// `max_pool2d_grad`: `dy` of each window goes to its first maximum in row-major order, and adds up where windows
/// overlap; inputs `(x, dy)`.
///
/// - Shapes: `x: f32[N, C, H, W]`, `dy: f32[N, C, OH, OW]` `-> f32[N, C, H, W]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MaxPool2dGrad {
    /// The pooling that this op differentiates.
    pub pool: MaxPool2d,
}

impl MaxPool2d {
    /// What the kernels call `p`.
    fn constants(&self, x: &TensorType, y: &TensorType) -> serde_json::Value {
        let ([kh, kw], [sh, sw], [ph, pw]) = (self.kernel, self.stride, self.padding);
        let (n, c, h, w, oh, ow) = (
            x.shape[0], x.shape[1], x.shape[2], x.shape[3], y.shape[2], y.shape[3],
        );
        serde_json::json!({ "p": {
            "n": n, "c": c, "h": h, "w": w, "oh": oh, "ow": ow,
            "kh": kh, "kw": kw, "sh": sh, "sw": sw, "ph": ph, "pw": pw,
        } })
    }
}

impl Named for MaxPool2d {
    const NAME: &'static str = "max_pool2d";
    const DOC: &'static str = "largest value of each window";
}

impl Op for MaxPool2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        let axis = |size: usize, i: usize| {
            let (k, s, p) = (self.kernel[i], self.stride[i], self.padding[i]);
            if k == 0 || s == 0 || 2 * p > k {
                return Err(ShapeError::new(format!(
                    "a window of {k} with stride {s} and padding {p} makes no sense"
                ))
                .help(
                    "the window and the stride are at least 1, the padding at most half the window",
                ));
            }
            (size + 2 * p)
                .checked_sub(k)
                .map(|rest| rest / s + 1)
                .ok_or_else(|| {
                    ShapeError::new(format!("{x} is smaller than the window of {k}")).at([0])
                })
        };
        Ok(TensorType::image([n, c, axis(h, 0)?, axis(w, 1)?]))
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        (output.elements() * self.kernel[0] * self.kernel[1]) as u64
    }
}

impl Gradient for MaxPool2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let x = back.input(0);
        Ok(vec![Some(
            back.add(MaxPool2dGrad { pool: self.clone() }, &[x, dy])?,
        )])
    }
}

impl Lower for MaxPool2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        let p = self.constants(lowering.input(0), lowering.output());
        lowering.per_element(Self::NAME, lowering.output().elements(), &p, &operands)
    }
}

impl ToOnnx for MaxPool2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let [top, left] = self.padding;
        node.same(
            "MaxPool",
            &[
                ("kernel_shape", Attribute::sizes(self.kernel)),
                ("strides", Attribute::sizes(self.stride)),
                ("pads", Attribute::sizes([top, left, top, left])),
            ],
        )
    }
}

impl Named for MaxPool2dGrad {
    const NAME: &'static str = "max_pool2d_grad";
    const DOC: &'static str = "gradient of max_pool2d: to the first maximum of each window";
}

impl Op for MaxPool2dGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy] = arity(inputs)?;
        if self.pool.infer(std::slice::from_ref(x))? != *dy {
            return Err(
                ShapeError::new(format!("a gradient {dy} does not fit an input {x}")).at([0, 1]),
            );
        }
        Ok(x.clone())
    }
}

impl Gradient for MaxPool2dGrad {}

impl Lower for MaxPool2dGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("x", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("dx", Operand::Output),
        ];
        let p = self.pool.constants(lowering.input(0), lowering.input(1));
        lowering.per_element(Self::NAME, lowering.output().elements(), &p, &operands)
    }
}

impl ToOnnx for MaxPool2dGrad {}

/// Height and width of a pool's window.
pub(super) const WINDOW: Setting = Setting {
    name: "k",
    kind: Kind::Int { min: 1, max: 255 },
    default: Some("2"),
    doc: "height and width of the window",
};

/// Step between the windows of a pool.
pub(super) const STRIDE: Setting = Setting {
    name: "stride",
    kind: Kind::Int { min: 1, max: 255 },
    default: Some("auto"),
    doc: "step between windows; auto is k",
};

/// Padding of a pool.
pub(super) const PADDING: Setting = Setting {
    name: "padding",
    kind: Kind::Int { min: 0, max: 127 },
    default: Some("0"),
    doc: "padding on each side",
};

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: "max_pool",
    doc: MaxPool2d::DOC,
    tensors: (1, 1),
    settings: &[WINDOW, STRIDE, PADDING],
    build: |b, x, settings| {
        let (k, padding) = (settings.int("k")?, settings.int("padding")?);
        let stride = settings.maybe_int("stride").unwrap_or(k);
        b.output(
            MaxPool2d {
                kernel: [k; 2],
                stride: [stride; 2],
                padding: [padding; 2],
            },
            x,
        )
    },
};
