//! The ops `conv2d`, `conv_transpose2d` and `conv2d_grad_weight` in terms of the kernels.

use std::any::TypeId;

use hqcc_compiler::ops;
use hqcc_compiler::tensor_type::TensorType;

use super::call::{Call, WrongOp};
use super::conv_shape::ConvShape;
use super::conv2d::{conv2d as forward, conv2d_grad_input};
use super::conv2d_grad_weight::conv2d_grad_weight as grad_weight;
use super::real::Real;
use super::{winograd, winograd_weight};

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

/// The tensors as single precision, if that is what they are and Winograd's algorithm suits the shape.
fn as_single<'a, T: Real>(
    shape: &ConvShape,
    inputs: &[&'a [T]],
    output: &'a mut [T],
) -> Option<(Vec<&'a [f32]>, &'a mut [f32])> {
    (TypeId::of::<T>() == TypeId::of::<f32>() && winograd::suits(shape)).then(|| {
        (
            inputs.iter().map(|x| bytemuck::cast_slice(x)).collect(),
            bytemuck::cast_slice_mut(output),
        )
    })
}

/// Cross-correlation with zero padding.
pub fn conv2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Conv2d>()?;
    let shape = geometry(op, &call.types[0], call.ty, kernel_size(&call.types[1])?)?;
    if let Some((inputs, y)) = as_single(&shape, call.inputs, call.output) {
        winograd::forward(&shape, inputs[0], inputs[1], inputs.get(2).copied(), y);
        return Ok(());
    }
    forward(
        &shape,
        call.inputs[0],
        call.inputs[1],
        call.inputs.get(2).copied(),
        call.output,
    );
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
    if let Some((inputs, y)) = as_single(&shape, call.inputs, call.output) {
        winograd::grad_input(&shape, inputs[0], inputs[1], inputs.get(2).copied(), y);
        return Ok(());
    }
    conv2d_grad_input(
        &shape,
        call.inputs[0],
        call.inputs[1],
        call.inputs.get(2).copied(),
        call.output,
    );
    Ok(())
}

/// Gradient of `conv2d` for its weight.
pub fn conv2d_grad_weight<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Conv2dGradWeight>()?;
    let shape = geometry(&op.conv, &call.types[0], &call.types[1], op.kernel)?;
    if let Some((inputs, dw)) = as_single(&shape, call.inputs, call.output) {
        winograd_weight::grad_weight(&shape, inputs[0], inputs[1], dw);
        return Ok(());
    }
    grad_weight(&shape, call.inputs[0], call.inputs[1], call.output);
    Ok(())
}
