//! The ops `conv2d`, `conv_transpose2d` and `conv2d_grad_weight` in terms of the kernels.

use std::any::TypeId;

use hqcc_compiler::ops;
use hqcc_compiler::tensor_type::TensorType;

use super::call::{Call, WrongOp};
use super::conv_shape::ConvShape;
use super::real::Real;
use super::{
    conv2d, conv2d_grad_weight, depthwise, pointwise, single_output, winograd, winograd_weight,
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

/// Slices of `T` as slices of single precision, if that is what `T` is.
fn single<T: Real>(x: &[T]) -> Option<&[f32]> {
    (TypeId::of::<T>() == TypeId::of::<f32>()).then(|| bytemuck::cast_slice(x))
}

/// Cross-correlation with zero padding, in the way that suits the shape.
pub(super) fn forward<T: Real>(s: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    if winograd::suits(s)
        && let (Some(x), Some(w)) = (single(x), single(w))
    {
        let bias = bias.and_then(single);
        winograd::forward(s, x, w, bias, bytemuck::cast_slice_mut(y));
    } else if depthwise::suits(s) {
        depthwise::forward(s, x, w, bias, y);
    } else if single_output::suits(s) {
        single_output::forward(s, x, w, bias, y);
    } else if pointwise::suits(s) {
        pointwise::forward(s, x, w, bias, y);
    } else {
        conv2d::conv2d(s, x, w, bias, y);
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
    if winograd::suits(s)
        && let (Some(dy), Some(w)) = (single(dy), single(w))
    {
        let bias = bias.and_then(single);
        winograd::grad_input(s, dy, w, bias, bytemuck::cast_slice_mut(dx));
    } else if depthwise::suits(s) {
        depthwise::grad_input(s, dy, w, bias, dx);
    } else if pointwise::suits_grad_input(s) && bias.is_none() {
        pointwise::grad_input(s, dy, w, dx);
    } else {
        conv2d::conv2d_grad_input(s, dy, w, bias, dx);
    }
}

/// Gradient of [`forward`] for its weight, in the way that suits the shape.
pub(super) fn grad_weight<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    if winograd::suits(s)
        && let (Some(x), Some(dy)) = (single(x), single(dy))
    {
        winograd_weight::grad_weight(s, x, dy, bytemuck::cast_slice_mut(dw));
    } else if depthwise::suits(s) {
        depthwise::grad_weight(s, x, dy, dw);
    } else if single_output::suits(s) {
        single_output::grad_weight(s, x, dy, dw);
    } else if pointwise::suits(s) {
        pointwise::grad_weight(s, x, dy, dw);
    } else {
        conv2d_grad_weight::conv2d_grad_weight(s, x, dy, dw);
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
