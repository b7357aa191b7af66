//! `standardise` and its gradient. Output channels are innermost in a weight, so both are batch normalisation over its rows.

use hqcc_compiler::ops;

use super::batch_norm::{Line, batch_norm_of, batch_norm_sums_of, batch_stats_of, linear_gradient};
use super::call::{Call, WrongOp};
use super::real::Real;

/// Mean and biased variance of each output channel of input `0`, and their number.
fn stats<T: Real>(call: &Call<'_, T>) -> Result<(usize, Vec<T>), WrongOp> {
    let [channels, ..] = call.types[0].as_kernel().map_err(|_| WrongOp)?;
    let mut stats = vec![T::zero(); 2 * channels];
    batch_stats_of(channels, call.inputs[0], &mut stats);
    Ok((channels, stats))
}

/// `y = (w - mean) / sqrt(variance + eps)`.
pub fn standardise<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::Standardise>()?.eps;
    let (channels, stats) = stats(call)?;
    let (one, zero) = (vec![T::one(); channels], vec![T::zero(); channels]);
    batch_norm_of::<T, false>(eps, [call.inputs[0], &stats, &one, &zero], call.output);
    Ok(())
}

/// `dw = r (dy - mean(dy) - wh mean(dy wh))`.
pub fn standardise_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::StandardiseGrad>()?.eps;
    let (c, stats) = stats(call)?;
    let (w, dy) = (call.inputs[0], call.inputs[1]);
    let mut sums = vec![T::zero(); 2 * c];
    batch_norm_sums_of::<T, false>(eps, [w, dy, &stats, &[]], &mut sums);
    let m = (w.len() / c) as f64;
    let line = Line::new(&stats[..c], |k| {
        let root = 1.0 / (stats[c + k].f64() + eps).sqrt();
        let slope = -root * root * sums[c + k].f64() / m;
        [root, slope, -root * sums[k].f64() / m]
    });
    linear_gradient::<T, false>(&line, [w, dy, w], call.output);
    Ok(())
}
