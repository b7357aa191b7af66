//! Convolution, transposed convolution, and the gradients that they share.

use serde::{Deserialize, Serialize};

use super::init::{self, BIAS_INIT, Fans, INIT};
use super::layer::{Builder, LayerInfo};
use super::standardise::Standardise;
use crate::graph::{Backward, Gradient, Named, NodeId, Op, WeightKind};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{ConvShape, Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `conv2d`: cross-correlation with zero padding; inputs `(x, weight)` or `(x, weight, bias)`.
///
/// - Shapes: `x: f32[N, I, H, W]`, `weight: f32[O, I/groups, KH, KW]`, `bias: f32[O]` `-> f32[N, O, OH, OW]`,
///   `OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1`.
/// - Gradient: `dx` is a [`ConvTranspose2d`] of `dy`, `dweight` a [`Conv2dGradWeight`], `dbias` a [`ChannelSum`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Step between windows, `[rows, columns]`.
    pub stride: [usize; 2],
    /// Zeros on each side, `[rows, columns]`.
    pub padding: [usize; 2],
    /// Distance between kernel taps, `[rows, columns]`.
    pub dilation: [usize; 2],
    /// Number of independent channel groups.
    pub groups: usize,
}

/// `conv_transpose2d`: the transpose of [`Conv2d`] as a linear map; inputs `(x, weight)` or `(x, weight, bias)`.
///
/// - Shapes: `x: f32[N, I, H, W]`, `weight: f32[I, O/groups, KH, KW]`, `bias: f32[O]` `-> f32[N, O, OH, OW]`.
/// - Gradient: `dx` is a [`Conv2d`] of `dy` with the same weight, `dweight` a [`Conv2dGradWeight`] of `(dy, x)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTranspose2d {
    /// The convolution that this op transposes.
    pub conv: Conv2d,
    /// Height and width of the output.
    pub output: [usize; 2],
}

/// `conv2d_grad_weight`: `dweight[o, i, ky, kx] = sum over n, y, x of dy[n, o, y, x] x[n, i, y s + ky d - p, ...]`;
/// inputs `(x, dy)`.
///
/// - Shapes: `x: f32[N, I, H, W]`, `dy: f32[N, O, OH, OW]` `-> f32[O, I/groups, KH, KW]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2dGradWeight {
    /// The convolution that this op differentiates.
    pub conv: Conv2d,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

/// `channel_sum`: the sum of each channel over batch, rows and columns.
///
/// - Shapes: `x: f32[N, C, H, W] -> f32[C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelSum;

impl Conv2d {
    /// The attributes of ONNX' convolutions, for a weight of this type.
    fn onnx_settings(&self, weight: &TensorType) -> Vec<(&'static str, Attribute)> {
        let [top, left] = self.padding;
        vec![
            ("strides", Attribute::sizes(self.stride)),
            ("pads", Attribute::sizes([top, left, top, left])),
            ("dilations", Attribute::sizes(self.dilation)),
            ("group", Attribute::Int(self.groups as i64)),
            (
                "kernel_shape",
                Attribute::sizes(weight.shape[2..].iter().copied()),
            ),
        ]
    }

    /// Height and width of the output for an input of `size` and a kernel of `kernel`.
    ///
    /// # Errors
    /// The kernel does not fit into the padded input.
    pub fn output_size(
        &self,
        size: [usize; 2],
        kernel: [usize; 2],
    ) -> Result<[usize; 2], ShapeError> {
        let axis = |i: usize| {
            let extent = self.dilation[i] * (kernel[i] - 1) + 1;
            let padded = size[i] + 2 * self.padding[i];
            if padded < extent {
                let which = ["rows", "columns"][i];
                return Err(ShapeError::new(format!(
                    "the kernel spans {extent} {which}, the padded input has {padded}"
                ))
                .at([0])
                .help(format!(
                    "pad more, or give an input of at least {} {which}",
                    extent.saturating_sub(2 * self.padding[i])
                )));
            }
            Ok((padded - extent) / self.stride[i] + 1)
        };
        Ok([axis(0)?, axis(1)?])
    }

    /// The extents of this convolution from `x` with weight `w` to `y`, as its kernels name them.
    fn shape(
        &self,
        x: &TensorType,
        w: &TensorType,
        y: &TensorType,
    ) -> Result<ConvShape, ShapeError> {
        let ([batch, c, h, width], [_, o, oh, ow]) = (x.as_image()?, y.as_image()?);
        let [_, _, kh, kw] = w.as_kernel()?;
        let ([sh, sw], [ph, pw], [dh, dw], groups) =
            (self.stride, self.padding, self.dilation, self.groups);
        let (cin, cout) = (c / groups, o / groups);
        Ok(ConvShape {
            batch,
            h,
            w: width,
            oh,
            ow,
            cin,
            cout,
            groups,
            kh,
            kw,
            sh,
            sw,
            ph,
            pw,
            dh,
            dw,
        })
    }

    fn check(&self) -> Result<(), ShapeError> {
        if self.groups == 0 || self.stride.contains(&0) || self.dilation.contains(&0) {
            return Err(ShapeError::new(
                "stride, dilation and groups must be at least 1",
            ));
        }
        Ok(())
    }
}

/// Splits off the optional bias and checks its length.
fn with_bias(inputs: &[TensorType], channels: usize) -> Result<(), ShapeError> {
    match inputs.get(2) {
        Some(bias) if *bias != TensorType::plain([channels]) => {
            Err(ShapeError::new(format!("the bias must be f32[{channels}], not {bias}")).at([2]))
        }
        _ => Ok(()),
    }
}

fn two_or_three(inputs: &[TensorType]) -> Result<[&TensorType; 2], ShapeError> {
    match inputs {
        [x, w] | [x, w, _] => Ok([x, w]),
        _ => Err(ShapeError::new(format!(
            "2 or 3 tensors are needed, {} given",
            inputs.len()
        ))),
    }
}

impl Named for Conv2d {
    const NAME: &'static str = "conv2d";
    const DOC: &'static str = "cross-correlation of a feature map with a weight";
}

impl Op for Conv2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        self.check()?;
        let [x, w] = two_or_three(inputs)?;
        let [n, c, h, width] = x.as_image().map_err(|e| e.at([0]))?;
        let [o, i, kh, kw] = w.as_kernel().map_err(|e| e.at([1]))?;
        if i * self.groups != c || o % self.groups != 0 {
            return Err(ShapeError::new(format!(
                "a weight {w} in {} group{} does not fit {c} channels",
                self.groups,
                if self.groups == 1 { "" } else { "s" }
            ))
            .at([0, 1]));
        }
        with_bias(inputs, o)?;
        let [oh, ow] = self.output_size([h, width], [kh, kw])?;
        Ok(TensorType::image([n, o, oh, ow]))
    }
    fn flops(&self, inputs: &[TensorType], output: &TensorType) -> u64 {
        let per_output = inputs[1].elements() / inputs[1].shape[0].max(1);
        2 * output.elements() as u64 * per_output as u64
    }
}

impl Gradient for Conv2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, w) = (back.input(0), back.input(1));
        let [_, _, h, width] = back.ty(x).as_image()?;
        let [_, _, kh, kw] = back.ty(w).as_kernel()?;
        let mut grads = vec![None; back.arity()];
        if back.needs(0) {
            grads[0] = Some(back.add(
                ConvTranspose2d {
                    conv: self.clone(),
                    output: [h, width],
                },
                &[dy, w],
            )?);
        }
        if back.needs(1) {
            grads[1] = Some(back.add(
                Conv2dGradWeight {
                    conv: self.clone(),
                    kernel: [kh, kw],
                },
                &[x, dy],
            )?);
        }
        if back.arity() == 3 && back.needs(2) {
            grads[2] = Some(back.add(ChannelSum, &[dy])?);
        }
        Ok(grads)
    }
}

impl Lower for Conv2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let shape = self.shape(lowering.input(0), lowering.input(1), lowering.output());
        let shape = shape.map_err(|error| lowering.shape_error(error))?;
        lowering.conv(shape)
    }
}

impl ToOnnx for Conv2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let settings = self.onnx_settings(node.input_type(1));
        node.same("Conv", &settings)
    }
}

impl Named for ConvTranspose2d {
    const NAME: &'static str = "conv_transpose2d";
    const DOC: &'static str = "transposed convolution; the data gradient of conv2d";
}

impl Op for ConvTranspose2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        self.conv.check()?;
        let [x, w] = two_or_three(inputs)?;
        let [n, c, h, width] = x.as_image().map_err(|e| e.at([0]))?;
        let [i, o, kh, kw] = w.as_kernel().map_err(|e| e.at([1]))?;
        let channels = o * self.conv.groups;
        if i != c || c % self.conv.groups != 0 {
            return Err(
                ShapeError::new(format!("a weight {w} does not fit {c} channels")).at([0, 1]),
            );
        }
        with_bias(inputs, channels)?;
        if self.conv.output_size(self.output, [kh, kw])? != [h, width] {
            let [oh, ow] = self.output;
            return Err(
                ShapeError::new(format!("no input of {h} x {width} gives {oh} x {ow}")).at([0]),
            );
        }
        Ok(TensorType::image([
            n,
            channels,
            self.output[0],
            self.output[1],
        ]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        let per_input = inputs[1].elements() / inputs[1].shape[0].max(1);
        2 * inputs[0].elements() as u64 * per_input as u64
    }
}

impl Gradient for ConvTranspose2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, w) = (back.input(0), back.input(1));
        let [_, _, kh, kw] = back.ty(w).as_kernel()?;
        let mut grads = vec![None; back.arity()];
        if back.needs(0) {
            grads[0] = Some(back.add(self.conv.clone(), &[dy, w])?);
        }
        if back.needs(1) {
            grads[1] = Some(back.add(
                Conv2dGradWeight {
                    conv: self.conv.clone(),
                    kernel: [kh, kw],
                },
                &[dy, x],
            )?);
        }
        if back.arity() == 3 && back.needs(2) {
            grads[2] = Some(back.add(ChannelSum, &[dy])?);
        }
        Ok(grads)
    }
}

impl Lower for ConvTranspose2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let shape = self
            .conv
            .shape(lowering.output(), lowering.input(1), lowering.input(0));
        let shape = shape.map_err(|error| lowering.shape_error(error))?;
        lowering.conv_transpose(shape)
    }
}

impl ToOnnx for ConvTranspose2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let mut settings = self.conv.onnx_settings(node.input_type(1));
        let kernel = &node.input_type(1).shape[2..];
        let input = &node.input_type(0).shape[2..];
        let Conv2d {
            stride,
            padding,
            dilation,
            ..
        } = self.conv;
        // What the last input window does not reach.
        let rest = (0..2).map(|i| {
            let reached = (input[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
            (self.output[i] + 2 * padding[i]).saturating_sub(reached)
        });
        settings.push(("output_padding", Attribute::sizes(rest)));
        node.same("ConvTranspose", &settings)
    }
}

impl Named for Conv2dGradWeight {
    const NAME: &'static str = "conv2d_grad_weight";
    const DOC: &'static str = "gradient of conv2d for its weight";
}

impl Op for Conv2dGradWeight {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        self.conv.check()?;
        let [x, dy] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        let [dn, o, oh, ow] = dy.as_image().map_err(|e| e.at([1]))?;
        if n != dn
            || self.conv.output_size([h, w], self.kernel)? != [oh, ow]
            || c % self.conv.groups != 0
        {
            return Err(
                ShapeError::new(format!("a gradient {dy} does not fit an input {x}")).at([0, 1]),
            );
        }
        Ok(TensorType::kernel([
            o,
            c / self.conv.groups,
            self.kernel[0],
            self.kernel[1],
        ]))
    }
    // A weight's gradient is differentiated by nobody: the step has first derivatives only.
    fn flops(&self, inputs: &[TensorType], output: &TensorType) -> u64 {
        2 * inputs[1].elements() as u64 * (output.elements() / output.shape[0].max(1)) as u64
    }
}

impl Gradient for Conv2dGradWeight {}

impl Lower for Conv2dGradWeight {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let shape = self
            .conv
            .shape(lowering.input(0), lowering.output(), lowering.input(1));
        let shape = shape.map_err(|error| lowering.shape_error(error))?;
        lowering.conv_grad_weight(shape)
    }
}

impl ToOnnx for Conv2dGradWeight {}

impl Named for ChannelSum {
    const NAME: &'static str = "channel_sum";
    const DOC: &'static str = "sum of each channel";
}

impl Op for ChannelSum {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        Ok(TensorType::plain([x.as_image()?[1]]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        inputs[0].elements() as u64
    }
}

impl Gradient for ChannelSum {}

impl Lower for ChannelSum {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [n, c, h, w] = lowering
            .input(0)
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        let operands = [("x", Operand::Input(0))];
        lowering.reduce(
            Self::NAME,
            [1, n * h * w, c],
            1,
            &serde_json::Value::Null,
            &operands,
            Operand::Output,
        )
    }
}

impl ToOnnx for ChannelSum {}

const CHANNELS: Setting = Setting {
    name: "channels",
    kind: Kind::Int {
        min: 1,
        max: 1 << 20,
    },
    default: None,
    doc: "number of output channels",
};
const KERNEL: Setting = Setting {
    name: "k",
    kind: Kind::Int { min: 1, max: 255 },
    default: Some("3"),
    doc: "height and width of the kernel",
};
const STRIDE: Setting = Setting {
    name: "stride",
    kind: Kind::Int { min: 1, max: 64 },
    default: Some("1"),
    doc: "step between windows",
};
const GROUPS: Setting = Setting {
    name: "groups",
    kind: Kind::Int {
        min: 1,
        max: 1 << 20,
    },
    default: Some("1"),
    doc: "independent channel groups",
};
const BIAS: Setting = Setting {
    name: "bias",
    kind: Kind::Bool,
    default: Some("true"),
    doc: "add a bias to each channel",
};

/// Added to the variance of a standardised weight under the root, as in the networks that use one.
const STANDARDISE_EPS: f64 = 1e-5;

fn conv(
    b: &mut Builder<'_>,
    tensors: &[NodeId],
    settings: &Settings,
) -> Result<NodeId, ShapeError> {
    let x = tensors[0];
    let [_, c, _, _] = b.ty(x).as_image().map_err(|e| e.at([0]))?;
    let (o, k, groups) = (
        settings.int("channels")?,
        settings.int("k")?,
        settings.int("groups")?,
    );
    let (stride, dilation) = (settings.int("stride")?, settings.int("dilation")?);
    if c % groups != 0 || o % groups != 0 {
        return Err(ShapeError::new(format!(
            "{groups} groups divide neither {c} input nor {o} output channels evenly"
        ))
        .at([0])
        .help("`groups` must divide both"));
    }
    let padding = settings
        .maybe_int("padding")
        .unwrap_or(dilation * (k - 1) / 2);
    let fans = Fans {
        fan_in: c / groups * k * k,
        fan_out: o / groups * k * k,
    };
    let weight = b.weight(
        TensorType::kernel([o, c / groups, k, k]),
        init::weight(settings, fans),
        WeightKind::Conv,
    )?;
    let weight = if settings.bool("standardise") {
        let eps = STANDARDISE_EPS;
        b.add(Standardise { eps }, &[weight], "standardised")?
    } else {
        weight
    };
    let mut inputs = vec![x, weight];
    inputs.extend(init::bias(b, settings, o, fans)?);
    let op = Conv2d {
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [dilation; 2],
        groups,
    };
    b.output(op, &inputs)
}

pub(super) const CONV: LayerInfo = LayerInfo {
    name: "conv",
    doc: "convolution (cross-correlation) with zero padding",
    tensors: (1, 1),
    settings: &[
        CHANNELS,
        KERNEL,
        STRIDE,
        Setting {
            name: "padding",
            kind: Kind::Int { min: 0, max: 255 },
            default: Some("auto"),
            doc: "zeros on each side; auto keeps the size at stride 1 and odd k",
        },
        Setting {
            name: "dilation",
            kind: Kind::Int { min: 1, max: 64 },
            default: Some("1"),
            doc: "distance between taps",
        },
        GROUPS,
        BIAS,
        INIT,
        BIAS_INIT,
        Setting {
            name: "standardise",
            kind: Kind::Bool,
            default: Some("false"),
            doc: "give each output channel of the weight mean 0 and variance 1 before it is used",
        },
    ],
    build: conv,
};

fn conv_transpose(
    b: &mut Builder<'_>,
    tensors: &[NodeId],
    settings: &Settings,
) -> Result<NodeId, ShapeError> {
    let x = tensors[0];
    let [_, c, h, w] = b.ty(x).as_image().map_err(|e| e.at([0]))?;
    let (o, k, groups) = (
        settings.int("channels")?,
        settings.int("k")?,
        settings.int("groups")?,
    );
    let (stride, padding) = (settings.int("stride")?, settings.int("padding")?);
    if c % groups != 0 || o % groups != 0 {
        return Err(ShapeError::new(format!(
            "{groups} groups divide neither {c} input nor {o} output channels evenly"
        ))
        .at([0])
        .help("`groups` must divide both"));
    }
    let extent = |n: usize| {
        ((n - 1) * stride + k)
            .checked_sub(2 * padding)
            .filter(|&n| n > 0)
            .ok_or_else(|| {
                ShapeError::new(format!("padding {padding} leaves nothing of the output")).at([0])
            })
    };
    let output = [extent(h)?, extent(w)?];
    // PyTorch counts the fan-in of a transposed convolution over its outputs.
    let fans = Fans {
        fan_in: o / groups * k * k,
        fan_out: c * k * k,
    };
    let weight = b.weight(
        TensorType::kernel([c, o / groups, k, k]),
        init::weight(settings, fans),
        WeightKind::ConvTranspose,
    )?;
    let mut inputs = vec![x, weight];
    inputs.extend(init::bias(b, settings, o, fans)?);
    let conv = Conv2d {
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1, 1],
        groups,
    };
    b.output(ConvTranspose2d { conv, output }, &inputs)
}

pub(super) const CONV_TRANSPOSE: LayerInfo = LayerInfo {
    name: "conv_transpose",
    doc: "transposed convolution",
    tensors: (1, 1),
    settings: &[
        CHANNELS,
        Setting {
            default: Some("2"),
            ..KERNEL
        },
        Setting {
            default: Some("2"),
            ..STRIDE
        },
        Setting {
            name: "padding",
            kind: Kind::Int { min: 0, max: 255 },
            default: Some("0"),
            doc: "rows and columns cut off each side",
        },
        GROUPS,
        BIAS,
        INIT,
        BIAS_INIT,
    ],
    build: conv_transpose,
};
