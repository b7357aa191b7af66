//! Loops over memory, cut into fixed pieces that threads share.
//!
//! The cut never depends on the number of threads, so neither does any sum.

use rayon::prelude::*;

use super::real::Real;
use super::simd;

/// Elements of a piece: large enough to pay for handing it out, small enough to share.
pub const PIECE: usize = 1 << 15;

/// Calls `f(start, piece)` for consecutive pieces of `out`, each a multiple of `unit` elements, on all threads.
pub fn pieces<T: Send>(out: &mut [T], unit: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let size = (PIECE / unit.max(1)).max(1) * unit.max(1);
    if out.len() <= size {
        simd::with_best(|| f(0, out));
    } else {
        out.par_chunks_mut(size)
            .enumerate()
            .for_each(|(index, piece)| simd::with_best(|| f(index * size, piece)));
    }
}

/// The sums that `f(first, end, sums)` adds to `width` accumulators over `0..count`, each step about `work` elements.
///
/// Every piece has accumulators of its own, added in order.
pub fn sums(
    count: usize,
    work: usize,
    width: usize,
    f: impl Fn(usize, usize, &mut [f64]) + Sync,
) -> Vec<f64> {
    const MOST: usize = 64;
    let least = (PIECE / work.max(1)).max(1);
    let size = count.div_ceil(MOST).max(least);
    let parts = count.div_ceil(size).max(1);
    let one = |part: usize| {
        let mut sums = vec![0.0; width];
        simd::with_best(|| f(part * size, ((part + 1) * size).min(count), &mut sums));
        sums
    };
    if parts == 1 {
        return one(0);
    }
    let partial: Vec<Vec<f64>> = (0..parts).into_par_iter().map(one).collect();
    let mut total = vec![0.0; width];
    for part in &partial {
        total
            .iter_mut()
            .zip(part)
            .for_each(|(sum, value)| *sum += value);
    }
    total
}

/// The sum of all elements, accumulated in double precision.
pub fn sum<T: Real>(x: &[T]) -> f64 {
    sums(x.len(), 1, 8, |first, end, sums| {
        for line in x[first..end].chunks(8) {
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += value.f64();
            }
        }
    })
    .iter()
    .sum()
}
