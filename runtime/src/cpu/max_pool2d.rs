//! `max_pool2d` and its gradient, channels in the inner loop.

use hqcc_compiler::ops;
use rayon::prelude::*;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use super::simd;

/// The input rows or columns of window `i` along one axis.
fn window(pool: &ops::MaxPool2d, axis: usize, i: usize, size: usize) -> std::ops::Range<usize> {
    let start = i * pool.stride[axis];
    let end = (start + pool.kernel[axis])
        .saturating_sub(pool.padding[axis])
        .min(size);
    start.saturating_sub(pool.padding[axis])..end
}

/// The largest value of each window.
pub fn max_pool2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let pool = call.op::<ops::MaxPool2d>()?;
    let [_, c, h, w] = call.image(0)?;
    let [_, _, oh, ow] = call.output_image()?;
    let x = call.inputs[0];
    pieces(call.output, ow * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(ow * c).enumerate() {
            let index = start / (ow * c) + index;
            let (n, i) = (index / oh, index % oh);
            for (j, y) in row.chunks_exact_mut(c).enumerate() {
                y.fill(T::neg_infinity());
                for a in window(pool, 0, i, h) {
                    for b in window(pool, 1, j, w) {
                        let x = &x[((n * h + a) * w + b) * c..][..c];
                        for (y, &x) in y.iter_mut().zip(x) {
                            *y = if x > *y || x.is_nan() { x } else { *y };
                        }
                    }
                }
            }
        }
    });
    Ok(())
}

/// `dy` of each window to its first maximum in row-major order.
pub fn max_pool2d_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let pool = &call.op::<ops::MaxPool2dGrad>()?.pool;
    let [_, c, h, w] = call.image(0)?;
    let [_, _, oh, ow] = call.image(1)?;
    let (x, dy) = (call.inputs[0], call.inputs[1]);
    // Windows that share no rows can be done at once; otherwise an image is one piece of work.
    let apart = pool.kernel[0] <= pool.stride[0] && pool.padding[0] == 0;
    let bands = if apart { oh } else { 1 };
    let band = |n: usize, band: usize, dx: &mut [T], top: usize| {
        dx.fill(T::zero());
        let (mut best, mut place) = (vec![T::zero(); c], vec![0u32; c]);
        let rows = if apart { band..band + 1 } else { 0..oh };
        for (i, j) in rows.flat_map(|i| (0..ow).map(move |j| (i, j))) {
            best.fill(T::neg_infinity());
            let columns = window(pool, 1, j, w);
            let mut at = 0;
            for a in window(pool, 0, i, h) {
                for b in columns.clone() {
                    let x = &x[((n * h + a) * w + b) * c..][..c];
                    for ((best, place), &x) in best.iter_mut().zip(&mut place).zip(x) {
                        let more = x > *best || x.is_nan() || at == 0;
                        *place = if more { at } else { *place };
                        *best = if more { x } else { *best };
                    }
                    at += 1;
                }
            }
            let dy = &dy[((n * oh + i) * ow + j) * c..][..c];
            at = 0;
            for a in window(pool, 0, i, h) {
                for b in columns.clone() {
                    let dx = &mut dx[((a - top) * w + b) * c..][..c];
                    for ((dx, &dy), &place) in dx.iter_mut().zip(dy).zip(&place) {
                        *dx += if place == at { dy } else { T::zero() };
                    }
                    at += 1;
                }
            }
        }
    };
    call.output
        .par_chunks_exact_mut(h * w * c)
        .enumerate()
        .for_each(|(n, image)| {
            if apart {
                // The last band takes the rows that fill no window.
                let (bands_rows, rest) = image.split_at_mut((bands - 1) * pool.stride[0] * w * c);
                bands_rows
                    .par_chunks_exact_mut(pool.stride[0] * w * c)
                    .enumerate()
                    .for_each(|(i, dx)| {
                        simd::with_best(|| band(n, i, dx, i * pool.stride[0]));
                    });
                simd::with_best(|| band(n, bands - 1, rest, (bands - 1) * pool.stride[0]));
            } else {
                simd::with_best(|| band(n, 0, image, 0));
            }
        });
    Ok(())
}
