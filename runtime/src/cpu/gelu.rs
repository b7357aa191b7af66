//! `gelu` and its gradient.

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use super::simd::vectorised;

vectorised! {
    fn forward<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * x.gauss()[0];
        }
    }

    fn backward<T: Real>(x: &[T], dy: &[T], dx: &mut [T]) {
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            let [cdf, pdf] = x.gauss();
            *dx = dy * (cdf + x * pdf);
        }
    }
}

/// `y = x P(x)`.
pub fn gelu<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let x = call.inputs[0];
    pieces(call.output, 1, |start, y| forward(&x[start..], y));
    Ok(())
}

/// `dx = dy (P(x) + x p(x))`.
pub fn gelu_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let (x, dy) = (call.inputs[0], call.inputs[1]);
    pieces(call.output, 1, |start, dx| {
        backward(&x[start..], &dy[start..], dx);
    });
    Ok(())
}
