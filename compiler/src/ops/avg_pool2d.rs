//! Average pooling.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use super::max_pool2d::{PADDING, STRIDE, WINDOW};
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `avg_pool2d`: the mean of each window. With `count_padding` the divisor is the number of cells that the window has
/// on the padded map, without it the number of pixels under it.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, C, OH, OW]`, `OH = floor((H + 2 padding - k) / stride) + 1`; with `ceil` rounded
///   up instead, less the last window if that would start in the padding behind the map.
/// - Gradient: [`AvgPool2dGrad`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AvgPool2d {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Padding on each side, at most half the window.
    pub padding: [usize; 2],
    /// Whether rows and columns that fill no window get one of their own.
    pub ceil: bool,
    /// Whether padding counts in the divisor.
    pub count_padding: bool,
}

/// `avg_pool2d_grad`: `dy` of each window in equal shares to the pixels under it.
///
/// - Shapes: `f32[N, C, OH, OW] -> f32[N, C, size[0], size[1]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AvgPool2dGrad {
    /// The pooling that this op differentiates.
    pub pool: AvgPool2d,
    /// Height and width of the pooling's input.
    pub size: [usize; 2],
}

impl AvgPool2d {
    /// Rows (axis 0) or columns (axis 1) of a map of `size` under window `i`, and how many the divisor counts.
    pub fn window(&self, axis: usize, i: usize, size: usize) -> (std::ops::Range<usize>, usize) {
        let padding = self.padding[axis];
        // Both ends on the padded map.
        let start = i * self.stride[axis];
        let end = (start + self.kernel[axis]).min(size + 2 * padding);
        let inside = start.saturating_sub(padding)..end.saturating_sub(padding).min(size);
        let count = if self.count_padding {
            end - start
        } else {
            inside.len()
        };
        (inside, count)
    }

    /// Windows along an axis of `size`.
    fn windows(&self, axis: usize, size: usize) -> Result<usize, ShapeError> {
        let (k, s, p) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        if k == 0 || s == 0 || 2 * p > k {
            return Err(ShapeError::new(format!(
                "a window of {k} with stride {s} and padding {p} makes no sense"
            ))
            .help(
                "the window and the stride are at least 1, the padding at most half the window",
            ));
        }
        // With `ceil`, a map smaller than the window by less than a stride still gives one window.
        let up = if self.ceil { s - 1 } else { 0 };
        let Some(rest) = (size + 2 * p + up).checked_sub(k) else {
            let which = ["rows", "columns"][axis];
            return Err(ShapeError::new(format!(
                "the window spans {k} {which}, the padded map has {}",
                size + 2 * p
            ))
            .at([0])
            .help(format!(
                "pad more, or give a map of at least {} {which}",
                k - 2 * p - up
            )));
        };
        let last = rest / s;
        let starts_behind = self.ceil && last * s >= size + p;
        Ok(if starts_behind { last } else { last + 1 })
    }

    /// What the kernels call `p`.
    fn constants(&self, x: &TensorType, y: &TensorType) -> serde_json::Value {
        let ([kh, kw], [sh, sw], [ph, pw]) = (self.kernel, self.stride, self.padding);
        let (c, h, w, oh, ow) = (x.shape[1], x.shape[2], x.shape[3], y.shape[2], y.shape[3]);
        serde_json::json!({ "p": {
            "c": c, "h": h, "w": w, "oh": oh, "ow": ow, "kh": kh, "kw": kw, "sh": sh, "sw": sw, "ph": ph, "pw": pw,
            "count_padding": self.count_padding,
        } })
    }
}

impl Named for AvgPool2d {
    const NAME: &'static str = "avg_pool2d";
    const DOC: &'static str = "mean of each window";
}

impl Op for AvgPool2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        let [oh, ow] = [self.windows(0, h)?, self.windows(1, w)?];
        Ok(TensorType::image([n, c, oh, ow]))
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        (output.elements() * self.kernel[0] * self.kernel[1]) as u64
    }
}

impl Gradient for AvgPool2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let [_, _, h, w] = back.ty(back.input(0)).as_image()?;
        let grad = AvgPool2dGrad {
            pool: self.clone(),
            size: [h, w],
        };
        Ok(vec![Some(back.add(grad, &[dy])?)])
    }
}

impl Lower for AvgPool2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        let p = self.constants(lowering.input(0), lowering.output());
        lowering.per_element(Self::NAME, lowering.output().elements(), &p, &operands)
    }
}

impl ToOnnx for AvgPool2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let (x, y) = (
            node.input_type(0).shape.clone(),
            node.output_type().shape.clone(),
        );
        // Padding behind the map such that every window is a whole one.
        let after = |i: usize| {
            let end = (y[i + 2] - 1) * self.stride[i] + self.kernel[i];
            end.saturating_sub(x[i + 2] + self.padding[i])
        };
        let [top, left] = self.padding;
        let settings = [
            ("kernel_shape", Attribute::sizes(self.kernel)),
            ("strides", Attribute::sizes(self.stride)),
            ("pads", Attribute::sizes([top, left, after(0), after(1)])),
            (
                "count_include_pad",
                Attribute::Int(i64::from(self.count_padding)),
            ),
        ];
        let whole = (self.kernel[0] * self.kernel[1]) as f32;
        let factors: Vec<f32> = (0..y[2])
            .flat_map(|row| (0..y[3]).map(move |column| (row, column)))
            .map(|(row, column)| {
                whole / (self.window(0, row, x[2]).1 * self.window(1, column, x[3]).1) as f32
            })
            .collect();
        if !self.count_padding || factors.iter().all(|&factor| factor == 1.0) {
            return node.same("AveragePool", &settings);
        }
        // A window that `ceil` lets reach beyond the padding has a smaller divisor.
        let input = node.input(0)?;
        let mean = node.add("AveragePool", &[&input], &settings);
        let factors = node.floats("divisors", &[1, 1, y[2], y[3]], &factors);
        node.emit("Mul", &[&mean, &factors], &[])
    }
}

impl Named for AvgPool2dGrad {
    const NAME: &'static str = "avg_pool2d_grad";
    const DOC: &'static str =
        "gradient of avg_pool2d: in equal shares to the pixels of each window";
}

impl Op for AvgPool2dGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [dy] = arity(inputs)?;
        let [n, c, ..] = dy.as_image().map_err(|e| e.at([0]))?;
        let x = TensorType::image([n, c, self.size[0], self.size[1]]);
        if self.pool.infer(std::slice::from_ref(&x))? != *dy {
            return Err(
                ShapeError::new(format!("a gradient {dy} does not fit an input {x}")).at([0]),
            );
        }
        Ok(x)
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        (inputs[0].elements() * self.pool.kernel[0] * self.pool.kernel[1]) as u64
    }
}

impl Gradient for AvgPool2dGrad {}

impl Lower for AvgPool2dGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("dy", Operand::Input(0)), ("dx", Operand::Output)];
        let p = self.pool.constants(lowering.output(), lowering.input(0));
        lowering.per_element(Self::NAME, lowering.output().elements(), &p, &operands)
    }
}

impl ToOnnx for AvgPool2dGrad {}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: "avg_pool",
    doc: AvgPool2d::DOC,
    tensors: (1, 1),
    settings: &[
        WINDOW,
        STRIDE,
        PADDING,
        Setting {
            name: "ceil",
            kind: Kind::Bool,
            default: Some("false"),
            doc: "whether rows and columns that fill no window get one of their own",
        },
        Setting {
            name: "count_padding",
            kind: Kind::Bool,
            default: Some("true"),
            doc: "whether padding counts in the divisor",
        },
    ],
    build: |b, x, settings| {
        let (k, padding) = (settings.int("k")?, settings.int("padding")?);
        let stride = settings.maybe_int("stride").unwrap_or(k);
        let pool = AvgPool2d {
            kernel: [k; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            ceil: settings.bool("ceil"),
            count_padding: settings.bool("count_padding"),
        };
        b.output(pool, x)
    },
};
