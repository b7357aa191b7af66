//! `cross_entropy`, its gradient, and `argmax`, pixel by pixel over the classes.

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;

/// The largest logit and the sum of the exponentials around it.
fn normaliser<T: Real>(x: &[T]) -> (T, T) {
    let largest = x.iter().copied().fold(T::neg_infinity(), T::max);
    (largest, x.iter().map(|&x| (x - largest).exp()).sum())
}

/// The class that a target names; none where it names no class.
fn class<T: Real>(target: T, classes: usize) -> Option<usize> {
    target.to_usize().filter(|&k| k < classes)
}

/// `y = log(sum of exp(x_k)) - x_t`; not a number where the target names no class.
pub fn cross_entropy<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let k = call.image(0)?[1];
    let (x, t) = (call.inputs[0], call.inputs[1]);
    pieces(call.output, 1, |start, piece| {
        let pixels = x[start * k..].chunks_exact(k).zip(&t[start..]);
        for (y, (x, &t)) in piece.iter_mut().zip(pixels) {
            let (largest, sum) = normaliser(x);
            *y = class(t, k).map_or(T::nan(), |t| sum.ln() + (largest - x[t]));
        }
    });
    Ok(())
}

/// `dx_k = dy (softmax(x)_k - [k = t])`.
pub fn cross_entropy_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let k = call.image(0)?[1];
    let (x, t, dy) = (call.inputs[0], call.inputs[1], call.inputs[2]);
    pieces(call.output, k, |start, piece| {
        let first = start / k;
        let pixels = x[start..]
            .chunks_exact(k)
            .zip(&t[first..])
            .zip(&dy[first..]);
        for (dx, ((x, &t), &dy)) in piece.chunks_exact_mut(k).zip(pixels) {
            let (largest, sum) = normaliser(x);
            for (dx, &x) in dx.iter_mut().zip(x) {
                *dx = dy * ((x - largest).exp() / sum);
            }
            match class(t, k) {
                Some(t) => dx[t] -= dy,
                None => dx.fill(T::nan()),
            }
        }
    });
    Ok(())
}

/// The channel of the largest value, the first of equals.
pub fn argmax<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let k = call.image(0)?[1];
    let x = call.inputs[0];
    pieces(call.output, 1, |start, piece| {
        for (y, x) in piece.iter_mut().zip(x[start * k..].chunks_exact(k)) {
            let mut best = 0;
            for (at, value) in x.iter().enumerate() {
                if *value > x[best] {
                    best = at;
                }
            }
            *y = T::of(best as f64);
        }
    });
    Ok(())
}
