//! `softmax` and its gradient, row by row. The largest element is subtracted first, so that no exponential overflows.

use super::call::{Call, WrongOp};
use super::lanes::{largest, sum, sum2};
use super::parallel::pieces;
use super::real::Real;
use super::simd::vectorised;

vectorised! {
    fn forward<T: Real>(c: usize, x: &[T], y: &mut [T]) {
        for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            let most = largest(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - most).exponential();
            }
            let scale = T::of(1.0 / sum(y, |y| y));
            y.iter_mut().for_each(|y| *y *= scale);
        }
    }

    fn backward<T: Real>(c: usize, y: &[T], dy: &[T], dx: &mut [T]) {
        let rows = y.chunks_exact(c).zip(dy.chunks_exact(c));
        for (dx, (y, dy)) in dx.chunks_exact_mut(c).zip(rows) {
            let product = T::of(sum2(y, dy, |y, dy| y * dy));
            for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = y * (dy - product);
            }
        }
    }
}

/// Elements of a row of input `0`.
fn columns<T>(call: &Call<'_, T>) -> Result<usize, WrongOp> {
    call.types[0].rows().map(|[_, c]| c).map_err(|_| WrongOp)
}

/// `y_i = exp(x_i - m) / sum_j exp(x_j - m)`, `m` the row's largest element.
pub fn softmax<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let (c, x) = (columns(call)?, call.inputs[0]);
    pieces(call.output, c, |start, y| forward(c, &x[start..], y));
    Ok(())
}

/// `dx_i = y_i (dy_i - sum_j y_j dy_j)`.
pub fn softmax_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let c = columns(call)?;
    let (y, dy) = (call.inputs[0], call.inputs[1]);
    pieces(call.output, c, |start, dx| {
        backward(c, &y[start..], &dy[start..], dx);
    });
    Ok(())
}
