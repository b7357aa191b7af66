//! Sums and maxima of a row, in lanes that the compiler turns into vector registers.
//!
//! Lanes are joined as a binary tree and blocks in double precision, so that rounding errors stay those of short sums.

use super::real::Real;

/// Lanes side by side: several registers of any instruction set.
const LANES: usize = 32;

/// Elements that lanes take before they are joined.
const BLOCK: usize = 32 * LANES;

/// Joins the lanes as a binary tree.
#[inline(always)]
fn tree<T: Copy>(mut lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for k in 0..half {
            lanes[k] = join(lanes[k], lanes[k + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum of `f(x)`.
#[inline(always)]
pub fn sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(BLOCK) {
        let mut lanes = [T::zero(); LANES];
        let (lines, rest) = block.as_chunks::<LANES>();
        for line in lines {
            for k in 0..LANES {
                lanes[k] += f(line[k]);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += f(x);
        }
        total += tree(lanes, |a, b| a + b).f64();
    }
    total
}

/// The sum of `f(a, b)`.
#[inline(always)]
pub fn sum2<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let mut lanes = [T::zero(); LANES];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for k in 0..LANES {
                lanes[k] += f(a[k], b[k]);
            }
        }
        for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
            *lane += f(a, b);
        }
        total += tree(lanes, |a, b| a + b).f64();
    }
    total
}

/// The largest element; NaN is skipped.
#[inline(always)]
pub fn largest<T: Real>(x: &[T]) -> T {
    let join = |a: T, b: T| if b > a { b } else { a };
    let mut lanes = [T::neg_infinity(); LANES];
    let (lines, rest) = x.as_chunks::<LANES>();
    for line in lines {
        for k in 0..LANES {
            lanes[k] = join(lanes[k], line[k]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = join(*lane, x);
    }
    tree(lanes, join)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_counts_once() {
        for len in [0, 1, 31, 32, 33, 1023, 1024, 5000] {
            let x: Vec<f32> = (0..len).map(|k| (k % 7) as f32).collect();
            let want: f32 = x.iter().sum();
            assert_eq!(sum(&x, |x| x), f64::from(want));
            assert_eq!(sum2(&x, &x, |a, b| 2.0 * a - b), f64::from(want));
            let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(largest(&x), most);
        }
    }
}
