//! `layer_norm` and its gradients, row by row. A row is read several times, which costs little because it fits in the first-level cache.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::lanes::{sum, sum2};
use super::parallel::{pieces, sums};
use super::real::Real;
use super::simd::vectorised;

/// Mean and `1 / sqrt(variance + eps)` of a row.
#[inline(always)]
fn moments<T: Real>(x: &[T], eps: f64) -> [T; 2] {
    let count = x.len() as f64;
    let mean = T::of(sum(x, |x| x) / count);
    let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
    [mean, T::of(1.0 / (variance + eps).sqrt())]
}

vectorised! {
    fn forward<T: Real>(eps: f64, x: &[T], gamma: &[T], beta: &[T], y: &mut [T]) {
        let c = gamma.len();
        for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            let [mean, root] = moments(x, eps);
            for (((y, &x), &gamma), &beta) in y.iter_mut().zip(x).zip(gamma).zip(beta) {
                *y = (x - mean) * root * gamma + beta;
            }
        }
    }

    fn backward<T: Real>(eps: f64, x: &[T], dy: &[T], gamma: &[T], dx: &mut [T]) {
        let c = gamma.len();
        let rows = x.chunks_exact(c).zip(dy.chunks_exact(c));
        for (dx, (x, dy)) in dx.chunks_exact_mut(c).zip(rows) {
            let [mean, root] = moments(x, eps);
            for ((dx, &dy), &gamma) in dx.iter_mut().zip(dy).zip(gamma) {
                *dx = dy * gamma;
            }
            let plain = T::of(sum(dx, |g| g) / c as f64);
            let scaled = sum2(dx, x, |g, x| g * (x - mean)) / c as f64;
            let slope = T::of(scaled * root.f64() * root.f64());
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = root * (*dx - plain - (x - mean) * slope);
            }
        }
    }

    fn add_products<T: Real>(eps: f64, x: &[T], dy: &[T], plain: &mut [f64], scaled: &mut [f64]) {
        let c = plain.len();
        for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
            let [mean, root] = moments(x, eps);
            for (((plain, scaled), &x), &dy) in
                plain.iter_mut().zip(scaled.iter_mut()).zip(x).zip(dy)
            {
                *plain += dy.f64();
                *scaled += (dy * ((x - mean) * root)).f64();
            }
        }
    }
}

/// `y = (x - mean) / sqrt(variance + eps) gamma + beta`.
pub fn layer_norm<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::LayerNorm>()?.eps;
    let &[x, gamma, beta] = call.inputs else {
        return Err(WrongOp);
    };
    pieces(call.output, gamma.len(), |start, y| {
        forward(eps, &x[start..], gamma, beta, y);
    });
    Ok(())
}

/// `dx = r (g - mean(g) - xh mean(g xh))` with `g = dy gamma`.
pub fn layer_norm_grad_input<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::LayerNormGradInput>()?.eps;
    let &[x, dy, gamma] = call.inputs else {
        return Err(WrongOp);
    };
    pieces(call.output, gamma.len(), |start, dx| {
        backward(eps, &x[start..], &dy[start..], gamma, dx);
    });
    Ok(())
}

/// The sums over all rows of `dy` and of `dy (x - mean) / sqrt(variance + eps)`.
pub fn layer_norm_grad_parameters<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::LayerNormGradParameters>()?.eps;
    let (x, dy) = (call.inputs[0], call.inputs[1]);
    let c = call.output.len() / 2;
    let total = sums(x.len() / c, c, 2 * c, |first, end, sums| {
        let (plain, scaled) = sums.split_at_mut(c);
        let range = first * c..end * c;
        add_products(eps, &x[range.clone()], &dy[range], plain, scaled);
    });
    for (to, &sum) in call.output.iter_mut().zip(&total) {
        *to = T::of(sum);
    }
    Ok(())
}
