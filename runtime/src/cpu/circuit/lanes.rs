//! A short vector of amplitudes: AVX-512 registers where the CPU has them, arrays elsewhere.
//!
//! Lane `l` of vector `v` holds amplitude `v * LANES + l`, so a lane's parity is the lowest bit of
//! its amplitude's index. Kernels are written once over [`Lanes`] and compiled per width; every
//! function here is forced inline so that it takes on its caller's CPU features.

use crate::cpu::real::Real;

/// A vector of `LANES` elements, an even number.
///
/// # Safety
/// A type may be used only on a CPU that has the instructions it is made of: kernels reach it
/// through the dispatch in the parent module alone.
pub(super) trait Lanes: Copy + Send + Sync {
    type Element: Real;
    const LANES: usize;

    fn splat(x: Self::Element) -> Self;
    /// The first `LANES` elements of `from`.
    fn load(from: &[Self::Element]) -> Self;
    /// Over the first `LANES` elements of `to`.
    fn store(self, to: &mut [Self::Element]);
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * b + c`.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `c - self * b`.
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// `a0 b0 a1 b1 ..`, in two vectors.
    fn interleave(a: Self, b: Self) -> (Self, Self);
    /// `a0 b0 b1 a1 a2 b2 b3 a3 ..`: interleaved, each odd lane's pair swapped.
    fn interleave_swapped(a: Self, b: Self) -> (Self, Self);
    /// Undoes [`Lanes::interleave`].
    fn deinterleave(lo: Self, hi: Self) -> (Self, Self);
    /// Undoes [`Lanes::interleave_swapped`].
    fn deinterleave_swapped(lo: Self, hi: Self) -> (Self, Self);
    /// The even lanes of `even`, the odd lanes of `odd`.
    fn blend(even: Self, odd: Self) -> Self;
    /// The lanes in reversed order.
    fn reverse(self) -> Self;
    /// The sum of all lanes, pair by pair.
    fn sum(self) -> Self::Element;
}

/// `LANES` elements as an array, which the compiler vectorises as far as it can. `FMA`: whether
/// the CPU multiplies and adds in one instruction.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Array<R, const LANES: usize, const FMA: bool>([R; LANES]);

impl<R: Real, const N: usize, const FMA: bool> Array<R, N, FMA> {
    #[inline(always)]
    fn each(f: impl Fn(usize) -> R) -> Self {
        let mut out = [R::zero(); N];
        let mut lane = 0;
        while lane < N {
            out[lane] = f(lane);
            lane += 1;
        }
        Self(out)
    }
}

impl<R: Real, const N: usize, const FMA: bool> Lanes for Array<R, N, FMA> {
    type Element = R;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(x: R) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    fn load(from: &[R]) -> Self {
        let from = &from[..N];
        Self::each(|l| from[l])
    }

    #[inline(always)]
    fn store(self, to: &mut [R]) {
        to[..N].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::each(|l| self.0[l] + other.0[l])
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::each(|l| self.0[l] * other.0[l])
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        if FMA {
            Self::each(|l| self.0[l].mul_add(b.0[l], c.0[l]))
        } else {
            Self::each(|l| self.0[l] * b.0[l] + c.0[l])
        }
    }

    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        if FMA {
            Self::each(|l| (-self.0[l]).mul_add(b.0[l], c.0[l]))
        } else {
            Self::each(|l| c.0[l] - self.0[l] * b.0[l])
        }
    }

    #[inline(always)]
    fn interleave(a: Self, b: Self) -> (Self, Self) {
        let at = |i: usize| {
            if i.is_multiple_of(2) {
                a.0[i / 2]
            } else {
                b.0[i / 2]
            }
        };
        (Self::each(at), Self::each(|l| at(N + l)))
    }

    #[inline(always)]
    fn interleave_swapped(a: Self, b: Self) -> (Self, Self) {
        Self::interleave(Self::blend(a, b), Self::blend(b, a))
    }

    #[inline(always)]
    fn deinterleave(lo: Self, hi: Self) -> (Self, Self) {
        let at = |i: usize| if i < N { lo.0[i] } else { hi.0[i - N] };
        (Self::each(|l| at(2 * l)), Self::each(|l| at(2 * l + 1)))
    }

    #[inline(always)]
    fn deinterleave_swapped(lo: Self, hi: Self) -> (Self, Self) {
        let (a, b) = Self::deinterleave(lo, hi);
        (Self::blend(a, b), Self::blend(b, a))
    }

    #[inline(always)]
    fn blend(even: Self, odd: Self) -> Self {
        Self::each(|l| if l % 2 == 0 { even.0[l] } else { odd.0[l] })
    }

    #[inline(always)]
    fn reverse(self) -> Self {
        Self::each(|l| self.0[N - 1 - l])
    }

    #[inline(always)]
    fn sum(self) -> R {
        let mut part = self.0;
        let mut half = N / 2;
        while half > 0 {
            let mut l = 0;
            while l < half {
                part[l] += part[l + half];
                l += 1;
            }
            half /= 2;
        }
        part[0]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx512::{F32x16, F64x8};

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::Lanes;
    use std::arch::x86_64::*;

    macro_rules! register {
        ($(#[$doc:meta])* $name:ident, $element:ty, $lanes:literal, $register:ty, $index:ty, $int:ty,
         $splat:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fmadd:ident, $fnmadd:ident,
         $permute2:ident, $permute:ident, $blend:ident, $odd:literal, $sum:ident) => {
            $(#[$doc])*
            #[derive(Clone, Copy)]
            #[repr(C, align(64))]
            pub struct $name([$element; $lanes]);

            impl $name {
                #[inline(always)]
                fn raw(self) -> $register {
                    // SAFETY: both are plain data of the same 64 bytes.
                    unsafe { std::mem::transmute(self) }
                }

                #[inline(always)]
                fn of(raw: $register) -> Self {
                    // SAFETY: both are plain data of the same 64 bytes.
                    unsafe { std::mem::transmute(raw) }
                }

                #[inline(always)]
                fn pick(a: Self, index: &[$int; $lanes], b: Self) -> Self {
                    // SAFETY: plain data of 64 bytes; the instruction is there, see `Lanes`.
                    unsafe {
                        let index: $index = std::mem::transmute(*index);
                        Self::of($permute2(a.raw(), index, b.raw()))
                    }
                }
            }

            /// Index vectors into the 2 * LANES elements of two registers side by side.
            const fn table(rule: usize, high: bool) -> [$int; $lanes] {
                let n = $lanes as usize;
                let mut out = [0; $lanes];
                let mut l = 0;
                while l < n {
                    let i = if high { n + l } else { l };
                    out[l] = (match rule {
                        0 => i / 2 + (i % 2) * n,
                        1 => i / 2 + ((i % 2) ^ (i / 2 % 2)) * n,
                        2 => 2 * l + high as usize,
                        3 => 2 * l + (high as usize ^ (l % 2)),
                        _ => n - 1 - l,
                    }) as $int;
                    l += 1;
                }
                out
            }

            // SAFETY of each block below: the instruction is there, see `Lanes`.
            impl Lanes for $name {
                type Element = $element;
                const LANES: usize = $lanes;

                #[inline(always)]
                fn splat(x: $element) -> Self {
                    Self::of(unsafe { $splat(x) })
                }

                #[inline(always)]
                fn load(from: &[$element]) -> Self {
                    let from = &from[..$lanes];
                    Self::of(unsafe { $load(from.as_ptr()) })
                }

                #[inline(always)]
                fn store(self, to: &mut [$element]) {
                    let to = &mut to[..$lanes];
                    unsafe { $store(to.as_mut_ptr(), self.raw()) }
                }

                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self::of(unsafe { $add(self.raw(), other.raw()) })
                }

                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self::of(unsafe { $mul(self.raw(), other.raw()) })
                }

                #[inline(always)]
                fn mul_add(self, b: Self, c: Self) -> Self {
                    Self::of(unsafe { $fmadd(self.raw(), b.raw(), c.raw()) })
                }

                #[inline(always)]
                fn neg_mul_add(self, b: Self, c: Self) -> Self {
                    Self::of(unsafe { $fnmadd(self.raw(), b.raw(), c.raw()) })
                }

                #[inline(always)]
                fn interleave(a: Self, b: Self) -> (Self, Self) {
                    const LO: [$int; $lanes] = table(0, false);
                    const HI: [$int; $lanes] = table(0, true);
                    (Self::pick(a, &LO, b), Self::pick(a, &HI, b))
                }

                #[inline(always)]
                fn interleave_swapped(a: Self, b: Self) -> (Self, Self) {
                    const LO: [$int; $lanes] = table(1, false);
                    const HI: [$int; $lanes] = table(1, true);
                    (Self::pick(a, &LO, b), Self::pick(a, &HI, b))
                }

                #[inline(always)]
                fn deinterleave(lo: Self, hi: Self) -> (Self, Self) {
                    const A: [$int; $lanes] = table(2, false);
                    const B: [$int; $lanes] = table(2, true);
                    (Self::pick(lo, &A, hi), Self::pick(lo, &B, hi))
                }

                #[inline(always)]
                fn deinterleave_swapped(lo: Self, hi: Self) -> (Self, Self) {
                    const A: [$int; $lanes] = table(3, false);
                    const B: [$int; $lanes] = table(3, true);
                    (Self::pick(lo, &A, hi), Self::pick(lo, &B, hi))
                }

                #[inline(always)]
                fn blend(even: Self, odd: Self) -> Self {
                    Self::of(unsafe { $blend($odd, even.raw(), odd.raw()) })
                }

                #[inline(always)]
                fn reverse(self) -> Self {
                    const BACK: [$int; $lanes] = table(4, false);
                    // SAFETY: plain data of 64 bytes.
                    Self::of(unsafe {
                        let index: $index = std::mem::transmute(BACK);
                        $permute(index, self.raw())
                    })
                }

                #[inline(always)]
                fn sum(self) -> $element {
                    unsafe { $sum(self.raw()) }
                }
            }
        };
    }

    mod single {
        use super::*;
        register!(
            /// Sixteen f32.
            F32x16, f32, 16, __m512, __m512i, i32,
            _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_mul_ps,
            _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_permutex2var_ps, _mm512_permutexvar_ps,
            _mm512_mask_blend_ps, 0xAAAA, _mm512_reduce_add_ps
        );
    }

    mod double {
        use super::*;
        register!(
            /// Eight f64.
            F64x8, f64, 8, __m512d, __m512i, i64,
            _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_mul_pd,
            _mm512_fmadd_pd, _mm512_fnmadd_pd, _mm512_permutex2var_pd, _mm512_permutexvar_pd,
            _mm512_mask_blend_pd, 0xAA, _mm512_reduce_add_pd
        );
    }

    pub use double::F64x8;
    pub use single::F32x16;
}
