//! `gelu` and its gradient.

use super::call::{Call, WrongOp};
use super::element_wise::{binary, unary};
use super::real::Real;

/// `y = x P(x)`.
pub fn gelu<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    unary(call, |x| x * x.gauss()[0])
}

/// `dx = dy (P(x) + x p(x))`.
pub fn gelu_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |x, dy| {
        let [cdf, pdf] = x.gauss();
        dy * (cdf + x * pdf)
    })
}
