//! The ops of group normalisation: `group_stats`, `group_norm`, `group_norm_sums`, `group_norm_grad_input`. Sample by
//! sample they are those of batch normalisation, with the statistics of a group for each of its channels.

use hqcc_compiler::ops;

use super::batch_norm::{Line, batch_norm_of, batch_norm_sums_of, batch_stats_of, linear_gradient};
use super::call::{Call, WrongOp};
use super::real::Real;

/// The numbers of a sample's groups, `[2, G]`, repeated for each of `c` channels: `[2, C]`.
fn of_channels<T: Real>(c: usize, groups: &[T]) -> Vec<T> {
    let width = 2 * c / groups.len().max(1);
    groups
        .iter()
        .flat_map(|&value| std::iter::repeat_n(value, width))
        .collect()
}

/// Elements of a sample, its channels and twice its groups, from the feature map in input `x` and the statistics in input
/// `stats`.
fn extents<T>(call: &Call<'_, T>, x: usize, stats: usize) -> Result<[usize; 3], WrongOp> {
    let [_, c, h, w] = call.image(x)?;
    let groups = call.types.get(stats).and_then(|ty| ty.shape.last());
    Ok([c * h * w, c, 2 * groups.ok_or(WrongOp)?])
}

/// Mean and biased variance of each group.
pub fn group_stats<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let groups = call.op::<ops::GroupStats>()?.groups;
    let [_, c, h, w] = call.image(0)?;
    let width = c / groups;
    let mut channels = vec![T::zero(); 2 * c];
    for (x, stats) in call.inputs[0]
        .chunks_exact(c * h * w)
        .zip(call.output.chunks_exact_mut(2 * groups))
    {
        batch_stats_of(c, x, &mut channels);
        let (means, variances) = channels.split_at(c);
        for g in 0..groups {
            let range = g * width..(g + 1) * width;
            let mean = means[range.clone()].iter().map(|m| m.f64()).sum::<f64>() / width as f64;
            let parts = means[range.clone()].iter().zip(&variances[range]);
            let variance = parts
                .map(|(m, v)| v.f64() + (m.f64() - mean).powi(2))
                .sum::<f64>();
            stats[g] = T::of(mean);
            stats[groups + g] = T::of(variance / width as f64);
        }
    }
    Ok(())
}

fn normalise<T: Real, const RELU: bool>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::GroupNorm>()?.eps;
    let [sample, c, groups] = extents(call, 0, 1)?;
    let &[x, stats, gamma, beta] = call.inputs else {
        return Err(WrongOp);
    };
    let samples = x.chunks_exact(sample).zip(stats.chunks_exact(groups));
    for (y, (x, stats)) in call.output.chunks_exact_mut(sample).zip(samples) {
        let stats = of_channels(c, stats);
        batch_norm_of::<T, RELU>(eps, [x, &stats, gamma, beta], y);
    }
    Ok(())
}

/// `y = (x - mean) / sqrt(variance + eps) gamma + beta`.
pub fn group_norm<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    normalise::<T, false>(call)
}

/// `group_norm`, then `relu`.
pub fn group_norm_relu<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    normalise::<T, true>(call)
}

fn sums<T: Real, const MASK: bool>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::GroupNormSums>()?.eps;
    let (at, mask, dy, x, stats) = match (MASK, call.inputs) {
        (true, &[y, dy, x, stats]) => ([2, 3], y, dy, x, stats),
        (false, &[x, dy, stats]) => ([0, 2], x, dy, x, stats),
        _ => return Err(WrongOp),
    };
    let [sample, c, groups] = extents(call, at[0], at[1])?;
    for (n, out) in call.output.chunks_exact_mut(2 * c).enumerate() {
        let part = n * sample..(n + 1) * sample;
        let stats = of_channels(c, &stats[n * groups..(n + 1) * groups]);
        let inputs = [&x[part.clone()], &dy[part.clone()], &stats, &mask[part]];
        batch_norm_sums_of::<T, MASK>(eps, inputs, out);
    }
    Ok(())
}

/// Per sample and channel the sums of `dy` and of `dy` times the normalised input.
pub fn group_norm_sums<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    sums::<T, false>(call)
}

/// `relu_grad(y, dy)`, then `group_norm_sums` of it; inputs `(y, dy, x, stats)`.
pub fn masked_group_norm_sums<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    sums::<T, true>(call)
}

fn grad_input<T: Real, const MASK: bool>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let eps = call.op::<ops::GroupNormGradInput>()?.eps;
    let (at, mask, dy, [x, stats, gamma, sums]) = match (MASK, call.inputs) {
        (true, &[y, dy, x, stats, gamma, sums]) => ([2, 3], y, dy, [x, stats, gamma, sums]),
        (false, &[x, dy, stats, gamma, sums]) => ([0, 2], x, dy, [x, stats, gamma, sums]),
        _ => return Err(WrongOp),
    };
    let [sample, c, groups] = extents(call, at[0], at[1])?;
    let m = (sample / (groups / 2).max(1)) as f64;
    for (n, dx) in call.output.chunks_exact_mut(sample).enumerate() {
        let part = n * sample..(n + 1) * sample;
        let of = |values: &[T]| of_channels(c, &values[n * groups..(n + 1) * groups]);
        let (stats, sums) = (of(stats), of(sums));
        let line = Line::new(&stats[..c], |k| {
            let root = 1.0 / (stats[c + k].f64() + eps).sqrt();
            let slope = -root * root * sums[c + k].f64() / m;
            [gamma[k].f64() * root, slope, -root * sums[k].f64() / m]
        });
        let inputs = [&x[part.clone()], &dy[part.clone()], &mask[part]];
        linear_gradient::<T, MASK>(&line, inputs, dx);
    }
    Ok(())
}

/// `dx = r (dy gamma - sums[0] / m - xh sums[1] / m)`.
pub fn group_norm_grad_input<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    grad_input::<T, false>(call)
}

/// `relu_grad(y, dy)`, then `group_norm_grad_input` of it; inputs `(y, dy, x, stats, gamma, sums)`.
pub fn masked_group_norm_grad_input<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    grad_input::<T, true>(call)
}
