//! `avg_pool2d` and its gradient, channels in the inner loop.

use std::ops::Range;

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use super::spread::spread;

/// The pixels under each window along an axis, and one over what the divisor counts.
fn windows<T: Real>(
    pool: &ops::AvgPool2d,
    axis: usize,
    size: usize,
    count: usize,
) -> Vec<(Range<usize>, T)> {
    (0..count)
        .map(|i| {
            let (inside, cells) = pool.window(axis, i, size);
            (inside, T::one() / T::of(cells as f64))
        })
        .collect()
}

/// The windows that hold each pixel along an axis, with their shares.
fn holders<T: Real>(windows: &[(Range<usize>, T)], size: usize) -> Vec<Vec<(usize, T)>> {
    let mut holders = vec![Vec::new(); size];
    for (i, (inside, share)) in windows.iter().enumerate() {
        for at in inside.clone() {
            holders[at].push((i, *share));
        }
    }
    holders
}

/// The mean of each window.
pub fn avg_pool2d<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let pool = call.op::<ops::AvgPool2d>()?;
    let [_, c, h, w] = call.image(0)?;
    let [_, _, oh, ow] = call.output_image()?;
    let rows = windows::<T>(pool, 0, h, oh);
    let columns = windows::<T>(pool, 1, w, ow);
    let x = call.inputs[0];
    pieces(call.output, ow * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(ow * c).enumerate() {
            let index = start / (ow * c) + index;
            let (n, (lines, p)) = (index / oh, &rows[index % oh]);
            for (y, (inside, q)) in row.chunks_exact_mut(c).zip(&columns) {
                y.fill(T::zero());
                for a in lines.clone() {
                    for b in inside.clone() {
                        let x = &x[((n * h + a) * w + b) * c..][..c];
                        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
                    }
                }
                let share = *p * *q;
                y.iter_mut().for_each(|y| *y *= share);
            }
        }
    });
    Ok(())
}

/// `dy` of each window in equal shares to the pixels under it.
pub fn avg_pool2d_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let pool = &call.op::<ops::AvgPool2dGrad>()?.pool;
    let [_, c, oh, ow] = call.image(0)?;
    let [_, _, h, w] = call.output_image()?;
    let rows = holders(&windows::<T>(pool, 0, h, oh), h);
    let columns = holders(&windows::<T>(pool, 1, w, ow), w);
    spread(call, [c, h, w], [oh, ow], &rows, &columns);
    Ok(())
}
