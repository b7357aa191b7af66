//! The inner kernels of the convolutions: register tiles of products, one row of outputs or weights at a time.
//!
//! Both keep `M x N` registers of sums: `M` broadcast values times `N` vectors of consecutive channels.

use super::real::Real;
use super::simd::{Isa, Portable, Vector, isa};

/// The most rows a register tile has on any instruction set.
pub const MAX_ROWS: usize = 14;

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
    /// Whether the sum goes onto what the output holds.
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

/// Kernels with `1, 2, ...` rows and one register of channels, then two.
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

#[inline(always)]
unsafe fn pixels<V: Vector<Elem: Real>, const M: usize, const N: usize>(job: &PixelTile<V::Elem>) {
    unsafe {
        let mut sum = [[V::zero(); N]; M];
        if !job.bias.is_null() {
            for n in 0..N {
                let bias = V::load(job.bias.add(n * V::LANES));
                for row in &mut sum {
                    row[n] = bias;
                }
            }
        }
        let step = job.x_step;
        for tap in &*job.taps {
            let (mut x, mut w) = (tap.x, tap.w);
            for _ in 0..job.depth {
                let b: [V; N] = std::array::from_fn(|n| V::load(w.add(n * V::LANES)));
                for (m, row) in sum.iter_mut().enumerate() {
                    let a = V::splat(*x.add(m * step));
                    for n in 0..N {
                        row[n] = row[n].fma(a, b[n]);
                    }
                }
                x = x.add(1);
                w = w.add(N * V::LANES);
            }
        }
        if job.width == N * V::LANES {
            for (m, row) in sum.iter().enumerate() {
                for (n, value) in row.iter().enumerate() {
                    let to = job.y.add(m * job.y_step + n * V::LANES);
                    let value = if job.add {
                        value.add(V::load(to))
                    } else {
                        *value
                    };
                    value.store(to);
                }
            }
        } else {
            let mut line = [V::Elem::default(); 64];
            for (m, row) in sum.iter().enumerate() {
                for (n, value) in row.iter().enumerate() {
                    value.store(line.as_mut_ptr().add(n * V::LANES));
                }
                for (c, &value) in line.iter().enumerate().take(job.width) {
                    let to = job.y.add(m * job.y_step + c);
                    *to = if job.add { *to + value } else { value };
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weights<V: Vector<Elem: Real>, const M: usize, const N: usize>(
    job: &WeightTile<V::Elem>,
) {
    unsafe {
        let mut sum = [[V::zero(); N]; M];
        let step = job.x_step;
        for run in &*job.runs {
            let (mut x, mut dy) = (run.x, run.dy);
            for _ in 0..job.count {
                let b: [V; N] = std::array::from_fn(|n| V::load(dy.add(n * V::LANES)));
                for (m, row) in sum.iter_mut().enumerate() {
                    let a = V::splat(*x.add(m));
                    for n in 0..N {
                        row[n] = row[n].fma(a, b[n]);
                    }
                }
                x = x.add(step);
                dy = dy.add(N * V::LANES);
            }
        }
        for (m, row) in sum.iter().enumerate() {
            for (n, value) in row.iter().enumerate() {
                let to = job.dw.add((m * N + n) * V::LANES);
                value.add(V::load(to)).store(to);
            }
        }
    }
}

macro_rules! kernels {
    ($name:ident, $elem:ty, $vector:ty, $rows:literal, [$($m:literal)*] $(, $features:literal)?) => {
        mod $name {
            use super::*;
            #[allow(unused_imports, reason = "the portable tables name no register type")]
            #[cfg(target_arch = "x86_64")]
            use std::arch::x86_64::*;

            $(#[target_feature(enable = $features)])?
            unsafe fn p<const M: usize, const N: usize>(job: &PixelTile<$elem>) {
                unsafe { pixels::<$vector, M, N>(job) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn w<const M: usize, const N: usize>(job: &WeightTile<$elem>) {
                unsafe { weights::<$vector, M, N>(job) }
            }
            pub static TABLE: Kernels<$elem> = Kernels {
                rows: $rows,
                panel: 2 * <$vector as Vector>::LANES,
                pixels: [&[$(p::<$m, 1>),*], &[$(p::<$m, 2>),*]],
                weights: [&[$(w::<$m, 1>),*], &[$(w::<$m, 2>),*]],
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(f32_avx512, f32, __m512, 14, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(f64_avx512, f64, __m512d, 14, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(f32_avx2, f32, __m256, 6, [1 2 3 4 5 6], "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(f64_avx2, f64, __m256d, 6, [1 2 3 4 5 6], "avx2,fma");
kernels!(f32_portable, f32, Portable<f32>, 4, [1 2 3 4]);
kernels!(f64_portable, f64, Portable<f64>, 4, [1 2 3 4]);

macro_rules! table {
    ($name:ident, $elem:ty, $avx512:ident, $avx2:ident, $portable:ident) => {
        /// The kernels of this element type for an instruction set.
        pub fn $name(isa: Isa) -> &'static Kernels<$elem> {
            #[cfg(target_arch = "x86_64")]
            match isa {
                Isa::Avx512 => &$avx512::TABLE,
                Isa::Avx2 => &$avx2::TABLE,
                Isa::Portable => &$portable::TABLE,
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = isa;
                &$portable::TABLE
            }
        }
    };
}
table!(kernels_f32, f32, f32_avx512, f32_avx2, f32_portable);
table!(kernels_f64, f64, f64_avx512, f64_avx2, f64_portable);

/// The kernels of an element type for this processor.
pub fn kernels<T: Real>() -> &'static Kernels<T> {
    T::conv_kernels(isa())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for isa in Isa::available() {
            check(kernels_f32(isa), 1e-5);
            check(kernels_f64(isa), 1e-13);
        }
    }
}
