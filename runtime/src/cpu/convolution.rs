//! The ops `conv2d`, `conv_transpose2d` and `conv2d_grad_weight` in terms of the kernels.

use std::any::TypeId;

use bytemuck::{cast_slice, cast_slice_mut};
use hqcc_compiler::ops;
use hqcc_compiler::tensor_type::TensorType;

use super::call::{Call, WrongOp};
use super::conv_shape::ConvShape;
use super::real::Real;
use super::{
    conv2d, conv2d_grad_weight, depthwise, per_channel, pointwise, single_output, winograd,
    winograd_weight,
};

/// The geometry of a convolution from feature map `x` to feature map `y`.
fn geometry(
    op: &ops::Conv2d,
    x: &TensorType,
    y: &TensorType,
    kernel: [usize; 2],
) -> Result<ConvShape, WrongOp> {
    let ([batch, in_channels, h, w], [_, out_channels, oh, ow]) = (
        x.as_image().map_err(|_| WrongOp)?,
        y.as_image().map_err(|_| WrongOp)?,
    );
    Ok(ConvShape {
        batch,
        in_channels,
        in_size: [h, w],
        out_channels,
        out_size: [oh, ow],
        kernel,
        stride: op.stride,
        padding: op.padding,
        dilation: op.dilation,
        groups: op.groups,
    })
}

fn kernel_size(weight: &TensorType) -> Result<[usize; 2], WrongOp> {
    let [_, _, h, w] = weight.as_kernel().map_err(|_| WrongOp)?;
    Ok([h, w])
}

/// The ways to compute a convolution.
enum Way {
    /// Winograd's F(2x2, 3x3), in single precision alone; double precision, which checks it, takes the direct way.
    Winograd,
    /// A filter for each channel.
    Depthwise,
    /// Dot products over the input channels.
    SingleOutput,
    /// A matrix product of pixels by channels.
    Pointwise,
    /// Any other, tap by tap.
    Direct,
}

/// The way that suits the shape.
fn way<T: Real>(s: &ConvShape) -> Way {
    if TypeId::of::<T>() == TypeId::of::<f32>() && winograd::suits(s) {
        Way::Winograd
    } else if depthwise::suits(s) {
        Way::Depthwise
    } else if single_output::suits(s) {
        Way::SingleOutput
    } else if pointwise::suits(s) {
        Way::Pointwise
    } else {
        Way::Direct
    }
}

/// Cross-correlation with zero padding, in the way that suits the shape.
pub(super) fn forward<T: Real>(s: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    match way::<T>(s) {
        Way::Winograd => {
            let (x, w, y) = (cast_slice(x), cast_slice(w), cast_slice_mut(y));
            winograd::forward(s, x, w, bias.map(cast_slice), y);
        }
        Way::Depthwise => depthwise::forward(s, x, w, bias, y),
        Way::SingleOutput => single_output::forward(s, x, w, bias, y),
        Way::Pointwise => pointwise::forward(s, x, w, bias, y),
        Way::Direct => conv2d::conv2d(s, x, w, bias, y),
    }
}

/// The transpose of [`forward`] as a linear map, in the way that suits the shape.
pub(super) fn grad_input<T: Real>(
    s: &ConvShape,
    dy: &[T],
    w: &[T],
    bias: Option<&[T]>,
    dx: &mut [T],
) {
    match way::<T>(s) {
        Way::Winograd => {
            let (dy, w, dx) = (cast_slice(dy), cast_slice(w), cast_slice_mut(dx));
            winograd::grad_input(s, dy, w, bias.map(cast_slice), dx);
        }
        Way::Depthwise => depthwise::grad_input(s, dy, w, bias, dx),
        Way::Pointwise if pointwise::suits_grad_input(s) && bias.is_none() => {
            pointwise::grad_input(s, dy, w, dx);
        }
        // With one output channel, the direct way is already an outer product of pixels and weights.
        Way::SingleOutput | Way::Pointwise | Way::Direct => {
            conv2d::conv2d_grad_input(s, dy, w, bias, dx);
        }
    }
}

/// Gradient of [`forward`] for its weight, in the way that suits the shape.
pub(super) fn grad_weight<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    match way::<T>(s) {
        Way::Winograd => {
            winograd_weight::grad_weight(s, cast_slice(x), cast_slice(dy), cast_slice_mut(dw));
        }
        Way::Depthwise | Way::SingleOutput => per_channel::grad_weight(s, x, dy, dw),
        Way::Pointwise => pointwise::grad_weight(s, x, dy, dw),
        Way::Direct => conv2d_grad_weight::conv2d_grad_weight(s, x, dy, dw),
    }
}

/// Cross-correlation with zero padding.
pub fn conv2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Conv2d>()?;
    let shape = geometry(op, &call.types[0], call.ty, kernel_size(&call.types[1])?)?;
    let bias = call.inputs.get(2).copied();
    forward(&shape, call.inputs[0], call.inputs[1], bias, call.output);
    Ok(())
}

/// The transpose of `conv2d` as a linear map.
pub fn conv_transpose2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::ConvTranspose2d>()?;
    let shape = geometry(
        &op.conv,
        call.ty,
        &call.types[0],
        kernel_size(&call.types[1])?,
    )?;
    let bias = call.inputs.get(2).copied();
    grad_input(&shape, call.inputs[0], call.inputs[1], bias, call.output);
    Ok(())
}

/// Gradient of `conv2d` for its weight.
pub fn conv2d_grad_weight<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Conv2dGradWeight>()?;
    let shape = geometry(&op.conv, &call.types[0], &call.types[1], op.kernel)?;
    grad_weight(&shape, call.inputs[0], call.inputs[1], call.output);
    Ok(())
}
