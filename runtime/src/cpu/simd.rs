//! Vectors of the instruction sets the executor is written for, chosen at run time.
//!
//! A kernel is an `#[inline(always)]` function generic over [`Vector`]; it becomes fast only inside a function that
//! enables the instruction set, which [`run`] and the tables of `conv_kernel` do.

use std::sync::OnceLock;

/// An instruction set the executor has kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, DQ, BW and VL, with FMA: 32 registers of 512 bits.
    Avx512,
    /// AVX2 with FMA: 16 registers of 256 bits.
    Avx2,
    /// Whatever the target's baseline offers.
    Portable,
}

impl Isa {
    /// The instruction sets that this processor has, best first.
    pub fn available() -> Vec<Self> {
        let all = [Self::Avx512, Self::Avx2, Self::Portable];
        let first = all.iter().position(|&one| one == isa()).unwrap_or(2);
        all[first..].to_vec()
    }
}

/// The best instruction set of this processor.
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Isa::Avx512,
        (true, false) => Isa::Avx2,
        _ => Isa::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

/// Calls `f` compiled for the best instruction set; for loops that the compiler vectorises by itself.
#[inline]
pub fn run<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        fn avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        match isa() {
            // SAFETY: the processor has these features.
            Isa::Avx512 => return unsafe { avx512(f) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { avx2(f) },
            Isa::Portable => {}
        }
    }
    f()
}

/// Work written in terms of registers; [`Real::with_vectors`](super::real::Real::with_vectors) picks their type.
pub trait Work<T> {
    /// Does it. An implementation is `#[inline(always)]`, so that it is compiled for the registers it gets.
    ///
    /// # Safety
    /// As [`Vector`] says; and what the work itself asks for.
    unsafe fn run<V: Vector<Elem = T>>(&self);
}

macro_rules! with_vectors {
    ($name:ident, $elem:ty, $wide:ident, $narrow:ident) => {
        /// Does the work on the best registers of this processor.
        ///
        /// # Safety
        /// What the work asks for.
        pub unsafe fn $name(work: &impl Work<$elem>) {
            #[cfg(target_arch = "x86_64")]
            {
                use std::arch::x86_64::{$narrow, $wide};
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                unsafe fn avx512(work: &impl Work<$elem>) {
                    unsafe { work.run::<$wide>() }
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2(work: &impl Work<$elem>) {
                    unsafe { work.run::<$narrow>() }
                }
                match isa() {
                    // SAFETY: the processor has these features; the rest is the caller's.
                    Isa::Avx512 => return unsafe { avx512(work) },
                    // SAFETY: as above.
                    Isa::Avx2 => return unsafe { avx2(work) },
                    Isa::Portable => {}
                }
            }
            // SAFETY: any processor has these; the rest is the caller's.
            unsafe { work.run::<Portable<$elem>>() }
        }
    };
}
with_vectors!(with_vectors_f32, f32, __m512, __m256);
with_vectors!(with_vectors_f64, f64, __m512d, __m256d);

/// Defines functions that are compiled for each instruction set; the best one of this processor runs. Unlike the closure
/// that [`run`] is given, their bodies are sure to be compiled so, however large they are.
macro_rules! vectorised {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident<$T:ident: $bound:path $(, const $C:ident: bool)?>(
        $($arg:ident: $ty:ty),* $(,)?
    ) $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) {
            #[inline(always)]
            fn body<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn avx512<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) {
                    body::<$T $(, $C)?>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) {
                    body::<$T $(, $C)?>($($arg),*)
                }
                match $crate::cpu::simd::isa() {
                    // SAFETY: the processor has these features.
                    $crate::cpu::simd::Isa::Avx512 => return unsafe { avx512::<$T $(, $C)?>($($arg),*) },
                    // SAFETY: as above.
                    $crate::cpu::simd::Isa::Avx2 => return unsafe { avx2::<$T $(, $C)?>($($arg),*) },
                    $crate::cpu::simd::Isa::Portable => {}
                }
            }
            body::<$T $(, $C)?>($($arg),*)
        }
    )*};
}
pub(crate) use vectorised;

/// A register of several elements.
///
/// # Safety
/// The methods may only run on a processor that has the instruction set; `load` and `store` need `LANES` valid elements.
pub unsafe trait Vector: Copy {
    /// The element type.
    type Elem: Copy;
    /// Elements in a register.
    const LANES: usize;
    /// All lanes zero.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn zero() -> Self;
    /// All lanes equal to `value`.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn splat(value: Self::Elem) -> Self;
    /// `LANES` consecutive elements.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes `LANES` consecutive elements.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn store(self, to: *mut Self::Elem);
    /// `self + a * b`.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// `self + a`.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn add(self, a: Self) -> Self;
    /// `self - a`.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn sub(self, a: Self) -> Self;
    /// `self * a`.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn mul(self, a: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($reg:ty, $elem:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident) => {
            // SAFETY: each method is the one instruction it names; the trait passes the requirement on to its caller.
            unsafe impl Vector for $reg {
                type Elem = $elem;
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn zero() -> Self {
                    unsafe { $zero() }
                }
                #[inline(always)]
                unsafe fn splat(value: $elem) -> Self {
                    unsafe { $splat(value) }
                }
                #[inline(always)]
                unsafe fn load(from: *const $elem) -> Self {
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $elem) {
                    unsafe { $store(to, self) }
                }
                #[inline(always)]
                unsafe fn fma(self, a: Self, b: Self) -> Self {
                    unsafe { $fma(a, b, self) }
                }
                #[inline(always)]
                unsafe fn add(self, a: Self) -> Self {
                    unsafe { $add(self, a) }
                }
                #[inline(always)]
                unsafe fn sub(self, a: Self) -> Self {
                    unsafe { $sub(self, a) }
                }
                #[inline(always)]
                unsafe fn mul(self, a: Self) -> Self {
                    unsafe { $mul(self, a) }
                }
            }
        };
    }
    vector!(
        __m512,
        f32,
        16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps
    );
    vector!(
        __m512d,
        f64,
        8,
        _mm512_setzero_pd,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd
    );
    vector!(
        __m256,
        f32,
        8,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps
    );
    vector!(
        __m256d,
        f64,
        4,
        _mm256_setzero_pd,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd
    );
}

/// Four elements in an array, for targets without kernels of their own.
#[derive(Clone, Copy)]
pub struct Portable<T>([T; 4]);

macro_rules! portable {
    ($elem:ty) => {
        // SAFETY: plain arithmetic; `load` and `store` copy exactly `LANES` elements.
        unsafe impl Vector for Portable<$elem> {
            type Elem = $elem;
            const LANES: usize = 4;
            #[inline(always)]
            unsafe fn zero() -> Self {
                Self([0.0; 4])
            }
            #[inline(always)]
            unsafe fn splat(value: $elem) -> Self {
                Self([value; 4])
            }
            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                Self(unsafe { from.cast::<[$elem; 4]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                unsafe { to.cast::<[$elem; 4]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn fma(self, a: Self, b: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
            }
            #[inline(always)]
            unsafe fn add(self, a: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] + a.0[i]))
            }
            #[inline(always)]
            unsafe fn sub(self, a: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] - a.0[i]))
            }
            #[inline(always)]
            unsafe fn mul(self, a: Self) -> Self {
                Self(std::array::from_fn(|i| self.0[i] * a.0[i]))
            }
        }
    };
}
portable!(f32);
portable!(f64);
