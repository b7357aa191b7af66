//! The transforms of Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, arXiv:1509.09308): a 3x3 convolution of a
//! 4x4 tile gives 2x2 outputs with 16 products instead of 36.
//!
//! `y = A' [(G g G') . (B' d B)] A`; its gradient for the weight is `G' [(B' d B) . (A dy A')] G`. All coefficients are 0, 1,
//! -1 or 1/2, so that the result is about as exact as the direct sum.

use super::real::Real;
use super::simd::{Isa, Portable, Vector, isa};

/// Products of a tile.
pub const POINTS: usize = 16;

/// One transform: `from` and `to` hold one pointer per pixel or point, each to `channels` consecutive channels.
pub struct Transform<T, const FROM: usize, const TO: usize> {
    /// Sources.
    pub from: [*const T; FROM],
    /// Destinations; `false` in `keep` leaves one out.
    pub to: [*mut T; TO],
    /// Which destinations are written.
    pub keep: [bool; TO],
    /// Channels, a multiple of the register length.
    pub channels: usize,
}

/// The transforms of one element type on one instruction set.
pub struct Transforms<T: 'static> {
    /// Channels in a register.
    pub lanes: usize,
    /// `B' d B` of a 4x4 input tile.
    pub input: unsafe fn(&Transform<T, 16, 16>),
    /// `A' m A`, a 2x2 output tile; the 17th source is the bias.
    pub output: unsafe fn(&Transform<T, 17, 4>),
    /// `A dy A'` of a 2x2 tile of output gradients.
    pub output_grad: unsafe fn(&Transform<T, 4, 16>),
    /// `G g G'` of a 3x3 filter.
    pub weight: unsafe fn(&Transform<T, 9, 16>),
    /// `G' s G`, the gradient of a 3x3 filter.
    pub weight_grad: unsafe fn(&Transform<T, 16, 9>),
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
/// All pointers hold `channels` elements, and the processor has the instruction set of `V`.
#[inline(always)]
unsafe fn apply<V: Vector<Elem: Real>, const FROM: usize, const TO: usize>(
    job: &Transform<V::Elem, FROM, TO>,
    f: impl Fn([V; FROM]) -> [V; TO],
) {
    let mut at = 0;
    while at < job.channels {
        // SAFETY: `at + LANES <= channels`, a multiple of the register length.
        unsafe {
            let values = f(std::array::from_fn(|k| V::load(job.from[k].add(at))));
            for k in 0..TO {
                if job.keep[k] {
                    values[k].store(job.to[k].add(at));
                }
            }
        }
        at += V::LANES;
    }
}

#[inline(always)]
unsafe fn input<V: Vector<Elem: Real>>(job: &Transform<V::Elem, 16, 16>) {
    unsafe {
        let line = |[a, b, c, d]: [V; 4]| [a.sub(c), b.add(c), c.sub(b), b.sub(d)];
        apply(job, |d| columns(rows::<V, 16, 16, 4, 4>(d, line), line));
    }
}

#[inline(always)]
unsafe fn output<V: Vector<Elem: Real>>(job: &Transform<V::Elem, 17, 4>) {
    unsafe {
        let line = |[a, b, c, d]: [V; 4]| [a.add(b).add(c), b.sub(c).sub(d)];
        apply(job, |m: [V; 17]| {
            let points: [V; 16] = std::array::from_fn(|k| m[k]);
            let y: [V; 4] = columns(rows::<V, 16, 8, 4, 2>(points, line), line);
            y.map(|y| y.add(m[16]))
        });
    }
}

#[inline(always)]
unsafe fn output_grad<V: Vector<Elem: Real>>(job: &Transform<V::Elem, 4, 16>) {
    unsafe {
        let line = |[a, b]: [V; 2]| [a, a.add(b), a.sub(b), V::zero().sub(b)];
        apply(job, |d| columns(rows::<V, 4, 8, 2, 4>(d, line), line));
    }
}

#[inline(always)]
unsafe fn weight<V: Vector<Elem: Real>>(job: &Transform<V::Elem, 9, 16>) {
    unsafe {
        let half = V::splat(V::Elem::of(0.5));
        let line = |[a, b, c]: [V; 3]| {
            let (ends, middle) = (a.add(c).mul(half), b.mul(half));
            [a, ends.add(middle), ends.sub(middle), c]
        };
        apply(job, |g| columns(rows::<V, 9, 12, 3, 4>(g, line), line));
    }
}

#[inline(always)]
unsafe fn weight_grad<V: Vector<Elem: Real>>(job: &Transform<V::Elem, 16, 9>) {
    unsafe {
        let half = V::splat(V::Elem::of(0.5));
        let line = |[a, b, c, d]: [V; 4]| {
            let (sum, difference) = (b.add(c).mul(half), b.sub(c).mul(half));
            [a.add(sum), difference, sum.add(d)]
        };
        apply(job, |s| columns(rows::<V, 16, 12, 4, 3>(s, line), line));
    }
}

macro_rules! transforms {
    ($name:ident, $elem:ty, $vector:ty $(, $features:literal)?) => {
        mod $name {
            use super::*;
            #[allow(unused_imports, reason = "the portable tables name no register type")]
            #[cfg(target_arch = "x86_64")]
            use std::arch::x86_64::*;

            $(#[target_feature(enable = $features)])?
            unsafe fn input(job: &Transform<$elem, 16, 16>) {
                unsafe { super::input::<$vector>(job) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn output(job: &Transform<$elem, 17, 4>) {
                unsafe { super::output::<$vector>(job) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn output_grad(job: &Transform<$elem, 4, 16>) {
                unsafe { super::output_grad::<$vector>(job) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn weight(job: &Transform<$elem, 9, 16>) {
                unsafe { super::weight::<$vector>(job) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn weight_grad(job: &Transform<$elem, 16, 9>) {
                unsafe { super::weight_grad::<$vector>(job) }
            }
            pub static TABLE: Transforms<$elem> = Transforms {
                lanes: <$vector as Vector>::LANES,
                input,
                output,
                output_grad,
                weight,
                weight_grad,
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
transforms!(
    f32_avx512,
    f32,
    __m512,
    "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"
);
#[cfg(target_arch = "x86_64")]
transforms!(f32_avx2, f32, __m256, "avx2,fma");
transforms!(f32_portable, f32, Portable<f32>);

/// The transforms in single precision for this processor.
pub fn transforms() -> &'static Transforms<f32> {
    #[cfg(target_arch = "x86_64")]
    match isa() {
        Isa::Avx512 => return &f32_avx512::TABLE,
        Isa::Avx2 => return &f32_avx2::TABLE,
        Isa::Portable => {}
    }
    &f32_portable::TABLE
}
