//! Registers of the instruction sets the executor is written for, chosen at run time.
//!
//! A kernel is an `#[inline(always)]` function generic over [`Vector`]. It becomes fast only inside a function that is
//! compiled for the instruction set. [`run`] enters such a function for a piece of [`Work`], [`compiled`] gives a pointer
//! to one for a table of kernels. The register types are private to this module, so that no other code can use them on a
//! processor without their instructions.

mod array;
#[cfg(test)]
mod emulation;
mod native;
#[cfg(test)]
pub mod testing;
mod vector;

use std::sync::OnceLock;

use num_traits::Float;

use array::{Array, Pair};
pub use vector::{Vector, WIDEST};

/// An instruction set the executor has kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, DQ, BW and VL, with FMA: 32 registers of 512 bits.
    Avx512,
    /// AVX2 with FMA: 16 registers of 256 bits.
    Avx2,
    /// NEON of aarch64: 32 registers of 128 bits.
    Neon,
    /// Whatever the target's baseline offers.
    Portable,
}

impl Isa {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Whether this processor has it.
    fn is_native(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_native()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Portable => true,
        }
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::Portable => std::env::consts::ARCH,
        }
    }
}

/// The best instruction set of this processor.
#[inline]
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    #[cfg(test)]
    if let Some(isa) = testing::forced() {
        return isa;
    }
    *ISA.get_or_init(|| {
        let native = Isa::ALL.into_iter().find(|isa| isa.is_native());
        native.unwrap_or(Isa::Portable)
    })
}

/// What a function has to be compiled with beyond the target's baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// The features of [`Isa::Avx512`].
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The features of [`Isa::Avx2`].
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// None.
    Baseline,
}

/// The features to compile loops with that the compiler vectorises by itself.
#[inline]
pub fn features() -> Features {
    match isa() {
        #[cfg(test)]
        isa if !isa.is_native() => Features::Baseline,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Features::Avx512,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Features::Avx2,
        _ => Features::Baseline,
    }
}

/// The types of an instruction set's registers.
pub trait Set: 'static {
    /// What code with these registers has to be compiled with.
    const FEATURES: Features;
    /// Most rows of a tile of two registers each: the sums, two registers of the second factor and one broadcast of the
    /// first one fit into the register file, `2 ROWS + 3 <= registers`.
    const ROWS: usize;
    /// A register of single precision.
    type Single: Vector<Elem = f32>;
    /// A register of double precision.
    type Double: Vector<Elem = f64>;
    /// As [`Set::Single`], or several side by side where one has less than eight lanes.
    type WideSingle: Vector<Elem = f32>;
    /// As [`Set::Double`], or several side by side where one has less than eight lanes.
    type WideDouble: Vector<Elem = f64>;
    /// `N` lanes, for data that do not fill a register.
    type Few<T: Float, const N: usize>: Vector<Elem = T>;
}

#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Set for Avx512 {
    const FEATURES: Features = Features::Avx512;
    const ROWS: usize = 14;
    type Single = native::avx512::F32x16;
    type Double = native::avx512::F64x8;
    type WideSingle = Self::Single;
    type WideDouble = Self::Double;
    type Few<T: Float, const N: usize> = Array<T, N, true>;
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Set for Avx2 {
    const FEATURES: Features = Features::Avx2;
    const ROWS: usize = 6;
    type Single = native::avx2::F32x8;
    type Double = native::avx2::F64x4;
    type WideSingle = Self::Single;
    type WideDouble = Pair<Self::Double>;
    type Few<T: Float, const N: usize> = Array<T, N, true>;
}

#[cfg(target_arch = "aarch64")]
struct Neon;

#[cfg(target_arch = "aarch64")]
impl Set for Neon {
    const FEATURES: Features = Features::Baseline;
    const ROWS: usize = 14;
    type Single = native::neon::F32x4;
    type Double = native::neon::F64x2;
    type WideSingle = Pair<Self::Single>;
    type WideDouble = Pair<Pair<Self::Double>>;
    type Few<T: Float, const N: usize> = Array<T, N, true>;
}

struct Portable;

impl Set for Portable {
    const FEATURES: Features = Features::Baseline;
    // An array of four f64 takes two of the 16 registers of 128 bits that any x86-64 has.
    const ROWS: usize = 4;
    type Single = Array<f32, 4, false>;
    type Double = Array<f64, 4, false>;
    type WideSingle = Array<f32, 8, false>;
    type WideDouble = Array<f64, 8, false>;
    type Few<T: Float, const N: usize> = Array<T, N, false>;
}

/// Work written in terms of registers.
pub trait Work {
    /// What it gives.
    type Output;
    /// Does it. An implementation is `#[inline(always)]`, so that it is compiled for the registers it gets.
    fn run<S: Set>(self) -> Self::Output;
}

/// Work that is called through a table of functions.
pub trait Kernel {
    /// What it works on.
    type Job;
    /// Does it. An implementation is `#[inline(always)]`, so that it is compiled for the registers it gets.
    ///
    /// # Safety
    /// What the job asks for.
    unsafe fn run<S: Set>(job: &Self::Job);
}

/// The functions that are compiled for more than the target's baseline; the only place that names the features.
#[cfg(target_arch = "x86_64")]
macro_rules! with_features {
    (avx512 $function:item) => {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        $function
    };
    (avx2 $function:item) => {
        #[target_feature(enable = "avx2,fma")]
        $function
    };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use with_features;

/// Does the work on the best registers of this processor.
#[inline]
pub fn run<W: Work>(work: W) -> W::Output {
    match isa() {
        #[cfg(test)]
        isa if !isa.is_native() => testing::emulate(isa, work),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => enter::<Avx512, W>(work),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => enter::<Avx2, W>(work),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => enter::<Neon, W>(work),
        _ => enter::<Portable, W>(work),
    }
}

/// Does the work on the registers of a set, in a function compiled for them.
#[inline(always)]
fn enter<S: Set, W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        with_features! { avx512 fn avx512<S: Set, W: Work>(work: W) -> W::Output {
            work.run::<S>()
        } }
        with_features! { avx2 fn avx2<S: Set, W: Work>(work: W) -> W::Output {
            work.run::<S>()
        } }
        match S::FEATURES {
            // SAFETY: `isa` found the features.
            Features::Avx512 => return unsafe { avx512::<S, W>(work) },
            // SAFETY: `isa` found the features.
            Features::Avx2 => return unsafe { avx2::<S, W>(work) },
            Features::Baseline => {}
        }
    }
    work.run::<S>()
}

/// A kernel as a function compiled for a set of registers. Only code that [`run`] has entered can name a set, so the
/// processor has the instructions that the function needs.
pub const fn compiled<S: Set, K: Kernel>() -> unsafe fn(&K::Job) {
    #[cfg(target_arch = "x86_64")]
    {
        with_features! { avx512 unsafe fn avx512<S: Set, K: Kernel>(job: &K::Job) {
            // SAFETY: passed on from the caller.
            unsafe { K::run::<S>(job) }
        } }
        with_features! { avx2 unsafe fn avx2<S: Set, K: Kernel>(job: &K::Job) {
            // SAFETY: passed on from the caller.
            unsafe { K::run::<S>(job) }
        } }
        match S::FEATURES {
            Features::Avx512 => return avx512::<S, K>,
            Features::Avx2 => return avx2::<S, K>,
            Features::Baseline => {}
        }
    }
    K::run::<S>
}

/// Calls `f` compiled for the best instruction set, for loops that the compiler vectorises by itself.
#[inline]
pub fn with_best<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        with_features! { avx512 fn avx512<R>(f: impl FnOnce() -> R) -> R {
            f()
        } }
        with_features! { avx2 fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        } }
        match features() {
            // SAFETY: the processor has these features.
            Features::Avx512 => return unsafe { avx512(f) },
            // SAFETY: the processor has these features.
            Features::Avx2 => return unsafe { avx2(f) },
            Features::Baseline => {}
        }
    }
    f()
}

/// Defines functions that are compiled for each instruction set; the best one of this processor runs. Unlike the closure
/// that [`with_best`] is given, their bodies are sure to be compiled so, however large they are.
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
                use $crate::cpu::simd::{Features, features, with_features};
                with_features! { avx512 fn avx512<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) {
                    body::<$T $(, $C)?>($($arg),*)
                } }
                with_features! { avx2 fn avx2<$T: $bound $(, const $C: bool)?>($($arg: $ty),*) {
                    body::<$T $(, $C)?>($($arg),*)
                } }
                match features() {
                    // SAFETY: the processor has these features.
                    Features::Avx512 => return unsafe { avx512::<$T $(, $C)?>($($arg),*) },
                    // SAFETY: the processor has these features.
                    Features::Avx2 => return unsafe { avx2::<$T $(, $C)?>($($arg),*) },
                    Features::Baseline => {}
                }
            }
            body::<$T $(, $C)?>($($arg),*)
        }
    )*};
}
pub(crate) use vectorised;
