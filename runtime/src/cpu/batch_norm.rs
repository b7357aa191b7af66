//! The ops of batch normalisation: `batch_stats`, `batch_norm`, `batch_norm_sums`, `batch_norm_grad_input`, `stack_rows`,
//! `take_row`, `running_average`. Sums over pixels are accumulated in double precision.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::{pieces, sums};
use super::real::Real;
use super::simd::vectorised;

vectorised! {
    fn add_moments<T: Real>(x: &[T], shift: &[T], mean: &mut [f64], square: &mut [f64]) {
        for pixel in x.chunks_exact(shift.len()) {
            for (((m, s), &x), &shift) in
                mean.iter_mut().zip(square.iter_mut()).zip(pixel).zip(shift)
            {
                let d = (x - shift).f64();
                *m += d;
                *s += d * d;
            }
        }
    }

    fn normalise<T: Real, const RELU: bool>(x: &[T], mean: &[T], scale: &[T], beta: &[T], y: &mut [T]) {
        let c = mean.len();
        for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for ((((y, &x), &mean), &scale), &beta) in
                y.iter_mut().zip(x).zip(mean).zip(scale).zip(beta)
            {
                let value = (x - mean) * scale + beta;
                *y = if RELU && value < T::zero() {
                    T::zero()
                } else {
                    value
                };
            }
        }
    }

    fn add_products<T: Real, const MASK: bool>(
        x: &[T],
        dy: &[T],
        y: &[T],
        mean: &[T],
        plain: &mut [f64],
        scaled: &mut [f64],
    ) {
        let c = mean.len();
        let pixels = x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(y.chunks_exact(c));
        for ((x, dy), y) in pixels {
            for (((((p, s), &x), &dy), &y), &mean) in plain
                .iter_mut()
                .zip(scaled.iter_mut())
                .zip(x)
                .zip(dy)
                .zip(y)
                .zip(mean)
            {
                let dy = if MASK && y <= T::zero() {
                    0.0
                } else {
                    dy.f64()
                };
                *p += dy;
                *s += dy * (x - mean).f64();
            }
        }
    }

    fn follow<T: Real, const MASK: bool>(line: &Line<'_, T>, x: &[T], dy: &[T], y: &[T], dx: &mut [T]) {
        let c = line.mean.len();
        let pixels = dx.chunks_exact_mut(c).zip(x.chunks_exact(c));
        for (((dx, x), dy), y) in pixels.zip(dy.chunks_exact(c)).zip(y.chunks_exact(c)) {
            let constants = line
                .mean
                .iter()
                .zip(&line.scale)
                .zip(&line.slope)
                .zip(&line.offset);
            for ((((dx, &x), &dy), &y), (((&mean, &scale), &slope), &offset)) in
                dx.iter_mut().zip(x).zip(dy).zip(y).zip(constants)
            {
                let dy = if MASK && y <= T::zero() {
                    T::zero()
                } else {
                    dy
                };
                *dx = scale * dy + (slope * (x - mean) + offset);
            }
        }
    }
}

/// Mean and biased variance of each of `c` channels: `stats = [means, variances]`.
pub fn batch_stats_of<T: Real>(c: usize, x: &[T], stats: &mut [T]) {
    if x.is_empty() {
        stats.fill(T::zero());
        return;
    }
    // Sums around the first pixel: a mean far from zero then costs no digits of the variance.
    let (pixels, shift) = (x.len() / c, &x[..c]);
    let total = sums(pixels, c, 2 * c, |first, end, sums| {
        let (mean, square) = sums.split_at_mut(c);
        add_moments(&x[first * c..end * c], shift, mean, square);
    });
    for k in 0..c {
        let mean = total[k] / pixels as f64;
        // Rounding may leave less than nothing. Not `max`, which would take a NaN for it.
        let variance = total[c + k] / pixels as f64 - mean * mean;
        let variance = if variance < 0.0 { 0.0 } else { variance };
        stats[k] = T::of(shift[k].f64() + mean);
        stats[c + k] = T::of(variance);
    }
}

/// `1 / sqrt(variance + eps)` of each channel.
fn roots<T: Real>(c: usize, stats: &[T], eps: f64) -> Vec<f64> {
    stats[c..]
        .iter()
        .map(|variance| 1.0 / (variance.f64() + eps).sqrt())
        .collect()
}

/// `y = (x - mean) / sqrt(variance + eps) gamma + beta`, then with `RELU` `max(y, 0)`.
pub fn batch_norm_of<T: Real, const RELU: bool>(
    eps: f64,
    [x, stats, gamma, beta]: [&[T]; 4],
    y: &mut [T],
) {
    let c = gamma.len();
    let mean = &stats[..c];
    let scale: Vec<T> = roots(c, stats, eps)
        .iter()
        .zip(gamma)
        .map(|(root, gamma)| T::of(root * gamma.f64()))
        .collect();
    pieces(y, c, |start, y| {
        normalise::<T, RELU>(&x[start..], mean, &scale, beta, y);
    });
}

/// Channel sums of `dy` and of `dy` times the normalised input; with `MASK`, `dy` counts where `y > 0` alone.
pub fn batch_norm_sums_of<T: Real, const MASK: bool>(
    eps: f64,
    [x, dy, stats, y]: [&[T]; 4],
    out: &mut [T],
) {
    let c = stats.len() / 2;
    let mean = &stats[..c];
    let total = sums(x.len() / c.max(1), c, 2 * c, |first, end, sums| {
        let (plain, scaled) = sums.split_at_mut(c);
        let range = first * c..end * c;
        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
        // Without a mask any slice of the right length will do.
        let y = if MASK { &y[range] } else { x };
        add_products::<T, MASK>(x, dy, y, mean, plain, scaled);
    });
    let roots = roots(c, stats, eps);
    for k in 0..c {
        out[k] = T::of(total[k]);
        out[c + k] = T::of(total[c + k] * roots[k]);
    }
}

/// `dx = gamma r (dy - sums[0] / m - xh sums[1] / m)`, or `gamma r dy` when the statistics are constants; with `MASK`,
/// `dy` counts where `y > 0` alone.
pub fn batch_norm_grad_input_of<T: Real, const MASK: bool>(
    op: &ops::BatchNormGradInput,
    [x, dy, stats, gamma, sums, y]: [&[T]; 6],
    dx: &mut [T],
) {
    let c = gamma.len();
    let m = (x.len() / c.max(1)) as f64;
    let roots = roots(c, stats, op.eps);
    let through = if op.training { 1.0 } else { 0.0 };
    let line = Line::new(&stats[..c], |k| {
        let scale = gamma[k].f64() * roots[k];
        let through = -through * scale / m;
        [
            scale,
            through * roots[k] * sums[c + k].f64(),
            through * sums[k].f64(),
        ]
    });
    linear_gradient::<T, MASK>(&line, [x, dy, y], dx);
}

/// Per channel the constants of `dx = scale dy + slope (x - mean) + offset`.
pub struct Line<'a, T> {
    mean: &'a [T],
    scale: Vec<T>,
    slope: Vec<T>,
    offset: Vec<T>,
}

impl<'a, T: Real> Line<'a, T> {
    /// The constants `[scale, slope, offset]` of channel `k` are `f(k)`.
    pub fn new(mean: &'a [T], f: impl Fn(usize) -> [f64; 3]) -> Self {
        let all: Vec<_> = (0..mean.len()).map(f).collect();
        let column = |at: usize| all.iter().map(|line| T::of(line[at])).collect();
        Self {
            mean,
            scale: column(0),
            slope: column(1),
            offset: column(2),
        }
    }
}

/// `dx = scale dy + slope (x - mean) + offset`; with `MASK`, `dy` counts where `y > 0` alone.
pub fn linear_gradient<T: Real, const MASK: bool>(
    line: &Line<'_, T>,
    [x, dy, y]: [&[T]; 3],
    dx: &mut [T],
) {
    let c = line.mean.len();
    pieces(dx, c, |start, dx| {
        let x = &x[start..];
        let y = if MASK { &y[start..] } else { x };
        follow::<T, MASK>(line, x, &dy[start..], y, dx);
    });
}

/// Mean and biased variance of each channel.
pub fn batch_stats<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    batch_stats_of(call.image(0)?[1], call.inputs[0], call.output);
    Ok(())
}

/// Normalisation by given statistics, scaled and shifted.
pub fn batch_norm<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNorm>()?;
    let &[x, stats, gamma, beta] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_of::<T, false>(op.eps, [x, stats, gamma, beta], call.output);
    Ok(())
}

/// Channel sums of `dy` and of `dy` times the normalised input.
pub fn batch_norm_sums<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNormSums>()?;
    let &[x, dy, stats] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_sums_of::<T, false>(op.eps, [x, dy, stats, &[]], call.output);
    Ok(())
}

/// Gradient of `batch_norm` for its input.
pub fn batch_norm_grad_input<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNormGradInput>()?;
    let &[x, dy, stats, gamma, sums] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_grad_input_of::<T, false>(op, [x, dy, stats, gamma, sums, &[]], call.output);
    Ok(())
}

/// `batch_norm`, then `relu`.
pub fn batch_norm_relu<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNorm>()?;
    let &[x, stats, gamma, beta] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_of::<T, true>(op.eps, [x, stats, gamma, beta], call.output);
    Ok(())
}

/// `relu_grad(y, dy)`, then `batch_norm_sums` of it; inputs `(y, dy, x, stats)`.
pub fn masked_batch_norm_sums<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNormSums>()?;
    let &[y, dy, x, stats] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_sums_of::<T, true>(op.eps, [x, dy, stats, y], call.output);
    Ok(())
}

/// `relu_grad(y, dy)`, then `batch_norm_grad_input` of it; inputs `(y, dy, x, stats, gamma, sums)`.
pub fn masked_batch_norm_grad_input<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::BatchNormGradInput>()?;
    let &[y, dy, x, stats, gamma, sums] = call.inputs else {
        return Err(WrongOp);
    };
    batch_norm_grad_input_of::<T, true>(op, [x, dy, stats, gamma, sums, y], call.output);
    Ok(())
}

/// Two vectors as the rows of a matrix.
pub fn stack_rows<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let (top, bottom) = call.output.split_at_mut(call.inputs[0].len());
    top.copy_from_slice(call.inputs[0]);
    bottom.copy_from_slice(call.inputs[1]);
    Ok(())
}

/// One row of a matrix.
pub fn take_row<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let row = call.op::<ops::TakeRow>()?.row;
    let columns = call.output.len();
    call.output
        .copy_from_slice(&call.inputs[0][row * columns..(row + 1) * columns]);
    Ok(())
}

/// `state = (1 - momentum) state + momentum factor stats[row]`, in place.
pub fn running_average<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::RunningAverage>()?;
    let [state] = call.state else {
        return Err(WrongOp);
    };
    let (keep, take) = (T::of(1.0 - op.momentum), T::of(op.momentum * op.factor));
    let row = &call.inputs[1][op.row * state.len()..];
    for (state, &value) in state.iter_mut().zip(row) {
        *state = keep * *state + take * value;
    }
    Ok(())
}
