//! `resize2d` and its gradient.

use hqcc_compiler::ops;
use hqcc_compiler::ops::ResizeMode;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use super::spread::spread;

/// For each output position along an axis, the input positions it reads and their weights.
fn reads<T: Real>(mode: ResizeMode, from: usize, to: usize) -> Vec<[(usize, T); 2]> {
    (0..to)
        .map(|i| {
            let (low, high, weight) = mode.source(i, from, to);
            [(low, T::of(1.0 - weight)), (high, T::of(weight))]
        })
        .collect()
}

/// For each input position along an axis, the output positions that read it and their weights.
fn readers<T: Real>(mode: ResizeMode, from: usize, to: usize) -> Vec<Vec<(usize, T)>> {
    let mut readers = vec![Vec::new(); from];
    for (i, pair) in reads::<T>(mode, from, to).into_iter().enumerate() {
        for (at, weight) in pair {
            if weight != T::zero() {
                readers[at].push((i, weight));
            }
        }
    }
    readers
}

/// Resampling of a feature map.
pub fn resize2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Resize2d>()?;
    let [_, c, h, w] = call.image(0)?;
    let [oh, ow] = op.size;
    let (rows, columns) = (reads::<T>(op.mode, h, oh), reads::<T>(op.mode, w, ow));
    let x = call.inputs[0];
    pieces(call.output, ow * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(ow * c).enumerate() {
            let index = start / (ow * c) + index;
            let (n, [(top, p), (bottom, q)]) = (index / oh, rows[index % oh]);
            let line = |h_at: usize| &x[(n * h + h_at) * w * c..][..w * c];
            let (top, bottom) = (line(top), line(bottom));
            for (y, &[(left, r), (right, s)]) in row.chunks_exact_mut(c).zip(&columns) {
                let [left, right] = [left * c..(left + 1) * c, right * c..(right + 1) * c];
                let above = top[left.clone()].iter().zip(&top[right.clone()]);
                let below = bottom[left].iter().zip(&bottom[right]);
                for ((y, (&a, &b)), (&d, &e)) in y.iter_mut().zip(above).zip(below) {
                    *y = p * (r * a + s * b) + q * (r * d + s * e);
                }
            }
        }
    });
    Ok(())
}

/// Each `dy` to the pixels it was read from.
pub fn resize2d_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Resize2dGrad>()?;
    let [_, c, oh, ow] = call.image(0)?;
    let [h, w] = op.size;
    let (rows, columns) = (readers::<T>(op.mode, h, oh), readers::<T>(op.mode, w, ow));
    spread(call, [c, h, w], [oh, ow], &rows, &columns);
    Ok(())
}
