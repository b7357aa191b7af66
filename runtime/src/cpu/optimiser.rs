//! The optimisers `adam` and `sgd`, in place.

use hqcc_compiler::ops;
use rayon::prelude::*;

use super::call::{Call, WrongOp};
use super::parallel::PIECE;
use super::real::Real;
use super::simd;

/// One step of Adam or AdamW on a parameter and its two moments.
pub fn adam<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Adam>()?;
    let (&[.., g, schedule], [w, m, v]) = (call.inputs, &mut *call.state) else {
        return Err(WrongOp);
    };
    let (lr, rate) = (schedule[0], schedule[0] * schedule[1]);
    let root = schedule[2];
    let decay = T::of(op.weight_decay);
    let [beta1, rest1, beta2, rest2, eps] =
        [op.beta1, 1.0 - op.beta1, op.beta2, 1.0 - op.beta2, op.eps].map(T::of);
    let (shrink, l2) = if op.decoupled {
        (T::one() - lr * decay, T::zero())
    } else {
        (T::one(), decay)
    };
    w.par_chunks_mut(PIECE)
        .zip(m.par_chunks_mut(PIECE))
        .zip(v.par_chunks_mut(PIECE))
        .zip(g.par_chunks(PIECE))
        .for_each(|(((w, m), v), g)| {
            simd::with_best(|| {
                for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
                    let g = g + l2 * *w;
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *w = shrink * *w - rate * *m / (v.sqrt() * root + eps);
                }
            });
        });
    Ok(())
}

/// One step of stochastic gradient descent with momentum.
pub fn sgd<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Sgd>()?;
    let (&[.., g, schedule], [w, m]) = (call.inputs, &mut *call.state) else {
        return Err(WrongOp);
    };
    let (lr, momentum, decay) = (schedule[0], T::of(op.momentum), T::of(op.weight_decay));
    let nesterov = op.nesterov;
    w.par_chunks_mut(PIECE)
        .zip(m.par_chunks_mut(PIECE))
        .zip(g.par_chunks(PIECE))
        .for_each(|((w, m), g)| {
            simd::with_best(|| {
                for ((w, m), &g) in w.iter_mut().zip(m).zip(g) {
                    let g = g + decay * *w;
                    *m = momentum * *m + g;
                    *w -= lr * if nesterov { g + momentum * *m } else { *m };
                }
            });
        });
    Ok(())
}
