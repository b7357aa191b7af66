//! The inner kernels of the convolutions: register tiles of products, one row of outputs or weights at a time.
//!
//! Both keep `M x N` registers of sums: `M` broadcast values times `N` vectors of consecutive channels. A step loads `N`
//! vectors and broadcasts `M` values for `M N` products, so that with the 28 sums of AVX-512 or the 12 of AVX2 the two
//! units for products wait neither for memory nor for the four cycles that a sum takes to be ready for the next product.
//! Each sum has its products in the order of taps, then channels (or of pixels), whatever `M` and `N` are.

use std::marker::PhantomData;

use super::real::Real;
use super::simd::{self, Kernel, Set, Vector, WIDEST, Work};

/// One tap of a filter as a tile sees it: the first pixel's channels and the packed weights `[depth, N * LANES]`.
#[derive(Clone, Copy)]
pub struct Tap<T> {
    /// Channels of the first pixel under this tap.
    pub x: *const T,
    /// The packed weights of this tap.
    pub w: *const T,
}

/// Work of [`Kernels::pixels`]: `y[m, :] = start + sum over taps, c of x[m, c] w[c, :]`.
pub struct PixelTile<T> {
    /// The taps to sum over.
    pub taps: *const [Tap<T>],
    /// Channels summed over under each tap.
    pub depth: usize,
    /// Elements between neighbouring pixels of the input.
    pub x_step: usize,
    /// The first output pixel.
    pub y: *mut T,
    /// Elements between neighbouring pixels of the output.
    pub y_step: usize,
    /// Channels to write, at most the panel's width.
    pub width: usize,
    /// Whether the sum is added to the output's present values.
    pub add: bool,
    /// Values to start from, a whole panel, or null.
    pub bias: *const T,
}

/// One run of pixels for a weight tile: `count` pixels of input and gradient.
#[derive(Clone, Copy)]
pub struct Run<T> {
    /// First pixel of the input.
    pub x: *const T,
    /// First pixel of the packed output gradient, `[count, N * LANES]`.
    pub dy: *const T,
}

/// Work of [`Kernels::weights`]: `dw[m, :] += sum over runs, pixels p of x[p, m] dy[p, :]`.
pub struct WeightTile<T> {
    /// Runs of pixels.
    pub runs: *const [Run<T>],
    /// Pixels in each run.
    pub count: usize,
    /// Elements between neighbouring pixels of the input.
    pub x_step: usize,
    /// The sums, rows of `N * LANES`.
    pub dw: *mut T,
}

/// Functions for `1, 2, ...` rows and one register of channels, then two.
type Tiles<J> = [&'static [unsafe fn(&J)]; 2];

/// The kernels of one element type on one instruction set.
pub struct Kernels<T: 'static> {
    /// Most rows in a tile.
    pub rows: usize,
    /// Channels in a panel of two registers.
    pub panel: usize,
    /// `pixels[n - 1][m - 1]` computes `m` output pixels by `n` registers of channels.
    pub pixels: Tiles<PixelTile<T>>,
    /// `weights[n - 1][m - 1]` sums `m` input channels by `n` registers of output channels.
    pub weights: Tiles<WeightTile<T>>,
}

/// `M` pixels by `N` registers of channels.
///
/// # Safety
/// The job's pointers hold what it says.
#[inline(always)]
unsafe fn pixels<V: Vector<Elem: Real>, const M: usize, const N: usize>(job: &PixelTile<V::Elem>) {
    let mut sum = [[V::zero(); N]; M];
    if !job.bias.is_null() {
        for n in 0..N {
            // SAFETY: the bias fills a panel.
            let bias = unsafe { V::load(job.bias.add(n * V::LANES)) };
            for row in &mut sum {
                row[n] = bias;
            }
        }
    }
    let step = job.x_step;
    // SAFETY: the caller keeps the taps alive.
    for tap in unsafe { &*job.taps } {
        let (mut x, mut w) = (tap.x, tap.w);
        for _ in 0..job.depth {
            let b: [V; N] = std::array::from_fn(|n| {
                // SAFETY: `w` holds `depth` rows of `N` registers.
                unsafe { V::load(w.add(n * V::LANES)) }
            });
            for (m, row) in sum.iter_mut().enumerate() {
                // SAFETY: `x` holds `depth` channels of `M` pixels, `step` apart.
                let a = V::splat(unsafe { *x.add(m * step) });
                for n in 0..N {
                    row[n] = a.mul_add(b[n], row[n]);
                }
            }
            // SAFETY: at most one past the last channel and row.
            (x, w) = unsafe { (x.add(1), w.add(N * V::LANES)) };
        }
    }
    if job.width == N * V::LANES {
        for (m, row) in sum.iter().enumerate() {
            for (n, &value) in row.iter().enumerate() {
                // SAFETY: the output holds `width` channels of `M` pixels, `y_step` apart.
                unsafe {
                    let to = job.y.add(m * job.y_step + n * V::LANES);
                    let value = if job.add {
                        value.add(V::load(to))
                    } else {
                        value
                    };
                    value.store(to);
                }
            }
        }
    } else {
        // A panel's last channels do not exist: those that do are copied one by one.
        let mut line = [V::Elem::default(); 2 * WIDEST];
        for (m, row) in sum.iter().enumerate() {
            for (n, value) in row.iter().enumerate() {
                value.to_slice(&mut line[n * V::LANES..]);
            }
            for (c, &value) in line.iter().enumerate().take(job.width) {
                // SAFETY: the output holds `width` channels of `M` pixels, `y_step` apart.
                unsafe {
                    let to = job.y.add(m * job.y_step + c);
                    *to = if job.add { *to + value } else { value };
                }
            }
        }
    }
}

/// [`pixels`] as a kernel.
struct Pixels<T, const M: usize, const N: usize>(PhantomData<T>);

impl<T: Real, const M: usize, const N: usize> Kernel for Pixels<T, M, N> {
    type Job = PixelTile<T>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &PixelTile<T>) {
        // SAFETY: passed on from the caller.
        unsafe { pixels::<T::Register<S>, M, N>(job) }
    }
}

/// `M` input channels by `N` registers of output channels.
///
/// # Safety
/// The job's pointers hold what it says.
#[inline(always)]
unsafe fn weights<V: Vector<Elem: Real>, const M: usize, const N: usize>(
    job: &WeightTile<V::Elem>,
) {
    let mut sum = [[V::zero(); N]; M];
    // SAFETY: the caller keeps the runs alive.
    for run in unsafe { &*job.runs } {
        let (mut x, mut dy) = (run.x, run.dy);
        for _ in 0..job.count {
            let b: [V; N] = std::array::from_fn(|n| {
                // SAFETY: `dy` holds `count` rows of `N` registers.
                unsafe { V::load(dy.add(n * V::LANES)) }
            });
            for (m, row) in sum.iter_mut().enumerate() {
                // SAFETY: `x` holds `M` channels of `count` pixels, `x_step` apart.
                let a = V::splat(unsafe { *x.add(m) });
                for n in 0..N {
                    row[n] = a.mul_add(b[n], row[n]);
                }
            }
            // The step behind the last pixel may leave the input, which `add` must not.
            x = x.wrapping_add(job.x_step);
            dy = dy.wrapping_add(N * V::LANES);
        }
    }
    for (m, row) in sum.iter().enumerate() {
        for (n, &value) in row.iter().enumerate() {
            // SAFETY: the sums hold `M` rows of `N` registers.
            unsafe {
                let to = job.dw.add((m * N + n) * V::LANES);
                value.add(V::load(to)).store(to);
            }
        }
    }
}

/// [`weights`] as a kernel.
struct Weights<T, const M: usize, const N: usize>(PhantomData<T>);

impl<T: Real, const M: usize, const N: usize> Kernel for Weights<T, M, N> {
    type Job = WeightTile<T>;

    #[inline(always)]
    unsafe fn run<S: Set>(job: &WeightTile<T>) {
        // SAFETY: passed on from the caller.
        unsafe { weights::<T::Register<S>, M, N>(job) }
    }
}

/// The function for `M` rows; where a tile cannot have as many, the one for one row, which [`Kernels::new`] cuts off.
const fn pixel_tile<S: Set, T: Real, const M: usize, const N: usize>() -> unsafe fn(&PixelTile<T>) {
    if M <= S::ROWS {
        simd::compiled::<S, Pixels<T, M, N>>()
    } else {
        simd::compiled::<S, Pixels<T, 1, N>>()
    }
}

/// As [`pixel_tile`].
const fn weight_tile<S: Set, T: Real, const M: usize, const N: usize>() -> unsafe fn(&WeightTile<T>)
{
    if M <= S::ROWS {
        simd::compiled::<S, Weights<T, M, N>>()
    } else {
        simd::compiled::<S, Weights<T, 1, N>>()
    }
}

/// The functions of as many rows as a tile can have, by one register of channels, then by two.
macro_rules! tiles {
    ($tile:ident: $($m:literal)*) => {
        [
            const { (const { &[$($tile::<S, T, $m, 1>()),*] }).split_at(S::ROWS).0 },
            const { (const { &[$($tile::<S, T, $m, 2>()),*] }).split_at(S::ROWS).0 },
        ]
    };
}

impl<T: Real> Kernels<T> {
    const fn new<S: Set>() -> Self {
        Self {
            rows: S::ROWS,
            panel: 2 * T::Register::<S>::LANES,
            pixels: tiles!(pixel_tile: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
            weights: tiles!(weight_tile: 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
        }
    }
}

/// Finds the kernels of an element type.
struct Find<T>(PhantomData<T>);

impl<T: Real> Work for Find<T> {
    type Output = &'static Kernels<T>;

    #[inline(always)]
    fn run<S: Set>(self) -> &'static Kernels<T> {
        const { &Kernels::new::<S>() }
    }
}

/// The kernels of an element type for this processor.
pub fn kernels<T: Real>() -> &'static Kernels<T> {
    simd::run(Find(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::testing;

    fn value<T: Real>(k: usize) -> T {
        T::of((k.wrapping_mul(2_654_435_761) % 4096) as f64 / 2048.0 - 1.0)
    }

    /// Holds every tile of a table against its defining sum.
    fn check<T: Real>(table: &Kernels<T>, tolerance: f64) {
        const DEPTH: usize = 5;
        for (n, m) in [1, 2]
            .into_iter()
            .flat_map(|n| (1..=table.rows).map(move |m| (n, m)))
        {
            let width = n * table.panel / 2;
            let x: Vec<T> = (0..m * 2 * DEPTH).map(value).collect();
            let w: Vec<T> = (0..2 * DEPTH * width).map(|k| value(k + 77)).collect();
            let bias: Vec<T> = (0..width).map(|k| value(k + 3)).collect();
            for (width_kept, add) in [(width, false), (width, true), (width - 1, false), (1, true)]
            {
                let mut y = vec![T::one(); m * (width + 1)];
                let taps = [0, 1].map(|tap| Tap {
                    x: x[tap * DEPTH..].as_ptr(),
                    w: w[tap * DEPTH * width..].as_ptr(),
                });
                let job = PixelTile {
                    taps: taps.as_slice(),
                    depth: DEPTH,
                    x_step: 2 * DEPTH,
                    y: y.as_mut_ptr(),
                    y_step: width + 1,
                    width: width_kept,
                    add,
                    bias: if add { std::ptr::null() } else { bias.as_ptr() },
                };
                // SAFETY: the buffers hold what the job says; the instruction set is available.
                unsafe { table.pixels[n - 1][m - 1](&job) }
                for (row, c) in (0..m).flat_map(|row| (0..=width).map(move |c| (row, c))) {
                    let products = (0..2 * DEPTH)
                        .map(|k| x[row * 2 * DEPTH + k].f64() * w[k * width + c % width].f64());
                    let start = if add { 1.0 } else { bias[c % width].f64() };
                    let want = if c < width_kept {
                        start + products.sum::<f64>()
                    } else {
                        1.0
                    };
                    let got = y[row * (width + 1) + c].f64();
                    assert!(
                        (got - want).abs() < tolerance,
                        "pixels {m} x {n}: {got} instead of {want}"
                    );
                }
            }
            let dy: Vec<T> = (0..DEPTH * width).map(|k| value(k + 55)).collect();
            let mut dw = vec![T::one(); m * width];
            let runs = [Run {
                x: x.as_ptr(),
                dy: dy.as_ptr(),
            }];
            let count = DEPTH;
            let job = WeightTile {
                runs: runs.as_slice(),
                count,
                x_step: m,
                dw: dw.as_mut_ptr(),
            };
            // SAFETY: as above.
            unsafe { table.weights[n - 1][m - 1](&job) }
            for (row, c) in (0..m).flat_map(|row| (0..width).map(move |c| (row, c))) {
                let products = (0..count).map(|p| x[p * m + row].f64() * dy[p * width + c].f64());
                let want = 1.0 + products.sum::<f64>();
                let got = dw[row * width + c].f64();
                assert!(
                    (got - want).abs() < tolerance,
                    "weights {m} x {n}: {got} instead of {want}"
                );
            }
        }
    }

    #[test]
    fn every_tile_of_every_instruction_set_is_its_sum() {
        for isa in testing::all() {
            testing::on(isa, || {
                check(kernels::<f32>(), 1e-5);
                check(kernels::<f64>(), 1e-13);
            });
        }
    }
}
