//! The transforms of Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, arXiv:1509.09308): a 3x3 convolution of a
//! 4x4 tile gives 2x2 outputs with 16 products instead of 36.
//!
//! `y = A' [(G g G') . (B' d B)] A`; its gradient for the weight is `G' [(B' d B) . (A dy A')] G`. All coefficients are 0, 1,
//! -1 or 1/2, so that the result is about as exact as the direct sum.

use super::simd::{self, Kernel, Set, Vector, Work};

/// Products of a tile.
pub const POINTS: usize = 16;

/// A transform from scattered pixels to evenly spaced rows, channel by channel.
pub struct Gather<T, const FROM: usize> {
    /// Sources, `channels` elements each.
    pub from: [*const T; FROM],
    /// The first row of the result.
    pub to: *mut T,
    /// Elements between rows of the result.
    pub step: usize,
    /// Channels, a multiple of the register length.
    pub channels: usize,
}

/// A transform from evenly spaced rows to the pixels of an output tile, channel by channel.
pub struct Scatter<T> {
    /// The first of 16 rows.
    pub from: *const T,
    /// Elements between rows.
    pub step: usize,
    /// Added to each pixel.
    pub bias: *const T,
    /// The pixels; null for those outside of the map.
    pub to: [*mut T; 4],
    /// Channels, a multiple of the register length.
    pub channels: usize,
}

/// The transforms on one instruction set.
pub struct Transforms {
    /// Channels in a register.
    pub lanes: usize,
    /// `B' d B` of a 4x4 input tile, 16 rows.
    pub input: unsafe fn(&Gather<f32, 16>),
    /// `A' m A`, a 2x2 output tile.
    pub output: unsafe fn(&Scatter<f32>),
    /// `A dy A'` of a 2x2 tile of output gradients, 16 rows.
    pub output_grad: unsafe fn(&Gather<f32, 4>),
    /// `G g G'` of a 3x3 filter, 16 rows.
    pub weight: unsafe fn(&Gather<f32, 9>),
    /// `G' s G`, the gradient of a 3x3 filter, 9 rows.
    pub weight_grad: unsafe fn(&Gather<f32, 16>),
}

/// Applies `f` to the rows of an `R x C` matrix (as columns of vectors), giving `S x C`.
#[inline(always)]
fn rows<V: Copy, const RC: usize, const SC: usize, const R: usize, const S: usize>(
    d: [V; RC],
    f: impl Fn([V; R]) -> [V; S],
) -> [V; SC] {
    let columns = RC / R;
    let mut out = [d[0]; SC];
    for c in 0..columns {
        let column = f(std::array::from_fn(|r| d[r * columns + c]));
        for (s, value) in column.into_iter().enumerate() {
            out[s * columns + c] = value;
        }
    }
    out
}

/// Applies `f` to each row of an `R x C` matrix, giving `R x S`.
#[inline(always)]
fn columns<V: Copy, const RC: usize, const RS: usize, const C: usize, const S: usize>(
    d: [V; RC],
    f: impl Fn([V; C]) -> [V; S],
) -> [V; RS] {
    let mut out = [d[0]; RS];
    for r in 0..RC / C {
        let row = f(std::array::from_fn(|c| d[r * C + c]));
        for (s, value) in row.into_iter().enumerate() {
            out[r * S + s] = value;
        }
    }
    out
}

/// Loads, maps and stores all channels.
///
/// # Safety
/// All pointers hold `channels` elements.
#[inline(always)]
unsafe fn gather<V: Vector<Elem = f32>, const FROM: usize, const TO: usize>(
    job: &Gather<f32, FROM>,
    f: impl Fn([V; FROM]) -> [V; TO],
) {
    let mut at = 0;
    while at < job.channels {
        // SAFETY: `at + LANES <= channels`, a multiple of the register length.
        unsafe {
            let values = f(std::array::from_fn(|k| V::load(job.from[k].add(at))));
            let to = job.to.add(at);
            for (k, value) in values.into_iter().enumerate() {
                value.store(to.add(k * job.step));
            }
        }
        at += V::LANES;
    }
}

/// `B' d B`.
struct Input;

impl Kernel for Input {
    type Job = Gather<f32, 16>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &Gather<f32, 16>) {
        let line = |[a, b, c, d]: [S::Single; 4]| [a.sub(c), b.add(c), c.sub(b), b.sub(d)];
        // SAFETY: passed on from the caller.
        unsafe {
            gather::<S::Single, 16, 16>(job, |d| {
                columns(rows::<S::Single, 16, 16, 4, 4>(d, line), line)
            });
        }
    }
}

/// `A' m A`.
struct Output;

impl Kernel for Output {
    type Job = Scatter<f32>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &Scatter<f32>) {
        let line = |[a, b, c, d]: [S::Single; 4]| [a.add(b).add(c), b.sub(c).sub(d)];
        let mut at = 0;
        while at < job.channels {
            // SAFETY: `at + LANES <= channels`, a multiple of the register length.
            unsafe {
                let points: [S::Single; 16] =
                    std::array::from_fn(|k| S::Single::load(job.from.add(k * job.step + at)));
                let y: [S::Single; 4] = columns(rows::<S::Single, 16, 8, 4, 2>(points, line), line);
                let bias = S::Single::load(job.bias.add(at));
                for (y, to) in y.into_iter().zip(job.to) {
                    if !to.is_null() {
                        y.add(bias).store(to.add(at));
                    }
                }
            }
            at += S::Single::LANES;
        }
    }
}

/// `A dy A'`.
struct OutputGrad;

impl Kernel for OutputGrad {
    type Job = Gather<f32, 4>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &Gather<f32, 4>) {
        let line = |[a, b]: [S::Single; 2]| [a, a.add(b), a.sub(b), S::Single::zero().sub(b)];
        // SAFETY: passed on from the caller.
        unsafe {
            gather::<S::Single, _, _>(job, |d| {
                columns::<S::Single, 8, 16, 2, 4>(rows::<S::Single, 4, 8, 2, 4>(d, line), line)
            });
        }
    }
}

/// `G g G'`.
struct Weight;

impl Kernel for Weight {
    type Job = Gather<f32, 9>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &Gather<f32, 9>) {
        let half = S::Single::splat(0.5);
        let line = |[a, b, c]: [S::Single; 3]| {
            let (ends, middle) = (a.add(c).mul(half), b.mul(half));
            [a, ends.add(middle), ends.sub(middle), c]
        };
        // SAFETY: passed on from the caller.
        unsafe {
            gather::<S::Single, _, _>(job, |g| {
                columns::<S::Single, 12, 16, 3, 4>(rows::<S::Single, 9, 12, 3, 4>(g, line), line)
            });
        }
    }
}

/// `G' s G`.
struct WeightGrad;

impl Kernel for WeightGrad {
    type Job = Gather<f32, 16>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &Gather<f32, 16>) {
        let half = S::Single::splat(0.5);
        let line = |[a, b, c, d]: [S::Single; 4]| {
            let (sum, difference) = (b.add(c).mul(half), b.sub(c).mul(half));
            [a.add(sum), difference, sum.add(d)]
        };
        // SAFETY: passed on from the caller.
        unsafe {
            gather::<S::Single, _, _>(job, |s| {
                columns::<S::Single, 12, 9, 4, 3>(rows::<S::Single, 16, 12, 4, 3>(s, line), line)
            });
        }
    }
}

impl Transforms {
    const fn new<S: Set>() -> Self {
        Self {
            lanes: S::Single::LANES,
            input: simd::compiled::<S, Input>(),
            output: simd::compiled::<S, Output>(),
            output_grad: simd::compiled::<S, OutputGrad>(),
            weight: simd::compiled::<S, Weight>(),
            weight_grad: simd::compiled::<S, WeightGrad>(),
        }
    }
}

/// Finds the transforms.
struct Find;

impl Work for Find {
    type Output = &'static Transforms;

    #[inline(always)]
    fn run<S: Set>(self) -> &'static Transforms {
        const { &Transforms::new::<S>() }
    }
}

/// The transforms for this processor.
pub fn transforms() -> &'static Transforms {
    simd::run(Find)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::testing;

    /// One step of a stream of values in [-1, 1).
    fn value(k: usize) -> f32 {
        (k.wrapping_mul(2_654_435_761) % 4096) as f32 / 2048.0 - 1.0
    }

    #[test]
    fn every_instruction_set_filters_a_tile_to_the_same_bits() {
        let results: Vec<Vec<u32>> = testing::all()
            .map(|isa| testing::on(isa, filtered))
            .collect();
        assert!(results.iter().all(|result| *result == results[0]));
    }

    /// The bits of all transforms of a tile and its gradients, which are held against direct sums.
    fn filtered() -> Vec<u32> {
        const C: usize = 32;
        let t = transforms();
        let d: Vec<f32> = (0..16 * C).map(value).collect();
        let g: Vec<f32> = (0..9 * C).map(|k| value(k + 999)).collect();
        let dy: Vec<f32> = (0..4 * C).map(|k| value(k + 5555)).collect();
        let at = |x: &[f32], k: usize| x[k * C..].as_ptr();
        let [mut v, mut u, mut z] = [(); 3].map(|()| vec![0f32; 16 * C]);
        let (mut y, mut dg, bias) = (vec![0f32; 4 * C], vec![0f32; 9 * C], vec![0.5f32; C]);
        // SAFETY: all rows hold `C` channels; the instruction set is available.
        unsafe {
            (t.input)(&Gather {
                from: std::array::from_fn(|k| at(&d, k)),
                to: v.as_mut_ptr(),
                step: C,
                channels: C,
            });
            (t.weight)(&Gather {
                from: std::array::from_fn(|k| at(&g, k)),
                to: u.as_mut_ptr(),
                step: C,
                channels: C,
            });
            (t.output_grad)(&Gather {
                from: std::array::from_fn(|k| at(&dy, k)),
                to: z.as_mut_ptr(),
                step: C,
                channels: C,
            });
            let m: Vec<f32> = u.iter().zip(&v).map(|(u, v)| u * v).collect();
            let to = std::array::from_fn(|k| y[k * C..].as_mut_ptr());
            (t.output)(&Scatter {
                from: m.as_ptr(),
                step: C,
                bias: bias.as_ptr(),
                to,
                channels: C,
            });
            let s: Vec<f32> = z.iter().zip(&v).map(|(z, v)| z * v).collect();
            (t.weight_grad)(&Gather {
                from: std::array::from_fn(|k| at(&s, k)),
                to: dg.as_mut_ptr(),
                step: C,
                channels: C,
            });
        }
        for c in 0..C {
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let direct: f32 = (0..9)
                    .map(|k| d[((i + k / 3) * 4 + j + k % 3) * C + c] * g[k * C + c])
                    .sum();
                assert!((y[(i * 2 + j) * C + c] - 0.5 - direct).abs() < 1e-5);
            }
            for k in 0..9 {
                let pixel = |i: usize, j: usize| {
                    d[((i + k / 3) * 4 + j + k % 3) * C + c] * dy[(i * 2 + j) * C + c]
                };
                let direct = pixel(0, 0) + pixel(0, 1) + pixel(1, 0) + pixel(1, 1);
                assert!((dg[k * C + c] - direct).abs() < 1e-5);
            }
        }
        let all = [v, u, z, y, dg].concat();
        all.into_iter().map(f32::to_bits).collect()
    }
}
