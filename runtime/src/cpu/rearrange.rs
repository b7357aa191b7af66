//! Ops that move values: `concat`, `slice`, `pad2d`, `crop2d`, `reshape`.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;

/// Feature maps side by side along the channels.
pub fn concat<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let c = call.output_image()?[1];
    let parts: Vec<(usize, &[T])> = call
        .types
        .iter()
        .map(|ty| ty.shape[1])
        .zip(call.inputs.iter().copied())
        .collect();
    pieces(call.output, c, |start, piece| {
        for (index, pixel) in piece.chunks_exact_mut(c).enumerate() {
            let index = start / c + index;
            let mut rest = pixel;
            for &(channels, x) in &parts {
                let (to, tail) = rest.split_at_mut(channels);
                to.copy_from_slice(&x[index * channels..(index + 1) * channels]);
                rest = tail;
            }
        }
    });
    Ok(())
}

/// A range of channels.
pub fn slice<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Slice>()?;
    let c = call.image(0)?[1];
    let x = call.inputs[0];
    pieces(call.output, op.channels, |start, piece| {
        let first = start / op.channels;
        for (to, from) in piece
            .chunks_exact_mut(op.channels)
            .zip(x[first * c..].chunks_exact(c))
        {
            to.copy_from_slice(&from[op.start..op.start + op.channels]);
        }
    });
    Ok(())
}

/// Zeros around a feature map.
pub fn pad2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Pad2d>()?;
    let [_, c, h, w] = call.image(0)?;
    let [_, _, oh, ow] = call.output_image()?;
    let x = call.inputs[0];
    pieces(call.output, ow * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(ow * c).enumerate() {
            let index = start / (ow * c) + index;
            let (n, i) = (index / oh, index % oh);
            row.fill(T::zero());
            if let Some(i) = i.checked_sub(op.rows[0]).filter(|&i| i < h) {
                let from = &x[(n * h + i) * w * c..][..w * c];
                row[op.columns[0] * c..][..w * c].copy_from_slice(from);
            }
        }
    });
    Ok(())
}

/// Rows and columns cut off a feature map.
pub fn crop2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Crop2d>()?;
    let [_, c, h, w] = call.image(0)?;
    let [_, _, oh, ow] = call.output_image()?;
    let x = call.inputs[0];
    pieces(call.output, ow * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(ow * c).enumerate() {
            let index = start / (ow * c) + index;
            let (n, i) = (index / oh, index % oh + op.rows[0]);
            row.copy_from_slice(&x[((n * h + i) * w + op.columns[0]) * c..][..ow * c]);
        }
    });
    Ok(())
}

/// The same values under another shape.
pub fn reshape<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    call.output.copy_from_slice(call.inputs[0]);
    Ok(())
}
