//! The register abstraction that all kernels are written against.

use num_traits::{Float, Zero};

/// A register of `LANES` elements, an even number, whatever instruction set it belongs to.
///
/// The types that implement it for an instruction set are private to [`simd`](super). Other code meets them only as the
/// type parameters of [`Work`](super::Work) and [`Kernel`](super::Kernel), which run where the processor has the
/// instructions. So the methods are safe; only those that take pointers ask something of their caller.
///
/// Every method is `#[inline(always)]`: an instruction that is not inlined into a function compiled for its instruction
/// set becomes a call for each register.
///
/// All implementations do the same operations in the same order. Results differ only where a sum depends on `LANES`, and
/// where an instruction set has no fused multiply-add, so that a product is rounded before it is added.
pub trait Vector: Copy {
    /// The element type.
    type Elem: Float;
    /// Elements in a register.
    const LANES: usize;

    /// All lanes equal to `x`.
    fn splat(x: Self::Elem) -> Self;

    /// `LANES` consecutive elements, at any alignment.
    ///
    /// # Safety
    /// `from` points to `LANES` elements that may be read.
    unsafe fn load(from: *const Self::Elem) -> Self;

    /// Writes `LANES` consecutive elements, at any alignment.
    ///
    /// # Safety
    /// `to` points to `LANES` elements that may be written.
    unsafe fn store(self, to: *mut Self::Elem);

    /// `self + b`.
    fn add(self, b: Self) -> Self;

    /// `self - b`.
    fn sub(self, b: Self) -> Self;

    /// `self * b`.
    fn mul(self, b: Self) -> Self;

    /// `self * b + c`.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// `c - self * b`.
    fn neg_mul_add(self, b: Self, c: Self) -> Self;

    /// `a0 b0 a1 b1 ..`, in two registers.
    fn interleave(a: Self, b: Self) -> (Self, Self);

    /// Undoes [`interleave`](Vector::interleave).
    fn deinterleave(lo: Self, hi: Self) -> (Self, Self);

    /// The even lanes of `even`, the odd lanes of `odd`.
    fn blend(even: Self, odd: Self) -> Self;

    /// The lanes in reversed order.
    fn reverse(self) -> Self;

    /// The sum of all lanes: the upper half is added to the lower one until one lane is left.
    fn sum(self) -> Self::Elem;

    /// All lanes zero.
    #[inline(always)]
    fn zero() -> Self {
        Self::splat(Self::Elem::zero())
    }

    /// `a0 b0 b1 a1 a2 b2 b3 a3 ..`: interleaved, the pair of each odd lane swapped.
    #[inline(always)]
    fn interleave_swapped(a: Self, b: Self) -> (Self, Self) {
        Self::interleave(Self::blend(a, b), Self::blend(b, a))
    }

    /// Undoes [`interleave_swapped`](Vector::interleave_swapped).
    #[inline(always)]
    fn deinterleave_swapped(lo: Self, hi: Self) -> (Self, Self) {
        let (a, b) = Self::deinterleave(lo, hi);
        (Self::blend(a, b), Self::blend(b, a))
    }

    /// The first `LANES` elements of `from`, which has as many.
    #[inline(always)]
    fn from_slice(from: &[Self::Elem]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: the slice holds `LANES` elements.
        unsafe { Self::load(from.as_ptr()) }
    }

    /// Writes the first `LANES` elements of `to`, which has as many.
    #[inline(always)]
    fn to_slice(self, to: &mut [Self::Elem]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the slice holds `LANES` elements.
        unsafe { self.store(to.as_mut_ptr()) }
    }

    /// The elements of `from` from `at` on, zeros behind its end.
    #[inline(always)]
    fn from_part(from: &[Self::Elem], at: usize) -> Self {
        if at + Self::LANES <= from.len() {
            return Self::from_slice(&from[at..]);
        }
        let mut all = [Self::Elem::zero(); WIDEST];
        if at < from.len() {
            all[..from.len() - at].copy_from_slice(&from[at..]);
        }
        Self::from_slice(&all)
    }

    /// Writes as many elements as `to` has room for from `at` on.
    #[inline(always)]
    fn to_part(self, to: &mut [Self::Elem], at: usize) {
        if at + Self::LANES <= to.len() {
            self.to_slice(&mut to[at..]);
        } else if at < to.len() {
            let mut all = [Self::Elem::zero(); WIDEST];
            self.to_slice(&mut all);
            let room = to.len() - at;
            to[at..].copy_from_slice(&all[..room]);
        }
    }
}

/// Elements in the widest register of all: 512 bits of single precision.
pub const WIDEST: usize = 16;

/// Makes a register of an instruction set a [`Vector`], from its intrinsics. The expressions work on raw registers.
macro_rules! register {
    ($(#[$doc:meta])* $name:ident($raw:ty): [$elem:ty; $lanes:literal],
     splat $splat:ident, load $load:ident, store $store:ident, add $add:ident, sub $sub:ident, mul $mul:ident,
     mul_add($ma:ident, $mb:ident, $mc:ident) $mul_add:expr,
     neg_mul_add($na:ident, $nb:ident, $nc:ident) $neg_mul_add:expr,
     interleave($ia:ident, $ib:ident) [$ilo:expr, $ihi:expr],
     deinterleave($da:ident, $db:ident) [$dlo:expr, $dhi:expr],
     blend($even:ident, $odd:ident) $blend:expr,
     reverse($r:ident) $reverse:expr,
     sum($s:ident) $sum:expr
     $(, swapped($wa:ident, $wb:ident) [$slo:expr, $shi:expr] [$ulo:expr, $uhi:expr])?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name($raw);

        impl Vector for $name {
            type Elem = $elem;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(x: $elem) -> Self {
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $splat(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: as above, and the caller promises `LANES` elements.
                Self(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: as above, and the caller promises room for `LANES` elements.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $add(self.0, b.0) })
            }

            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $sub(self.0, b.0) })
            }

            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $mul(self.0, b.0) })
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                let ($ma, $mb, $mc) = (self.0, b.0, c.0);
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $mul_add })
            }

            #[inline(always)]
            fn neg_mul_add(self, b: Self, c: Self) -> Self {
                let ($na, $nb, $nc) = (self.0, b.0, c.0);
                // SAFETY: code that names this type runs where the processor has the instruction.
                Self(unsafe { $neg_mul_add })
            }

            #[inline(always)]
            fn interleave(a: Self, b: Self) -> (Self, Self) {
                let ($ia, $ib) = (a.0, b.0);
                // SAFETY: code that names this type runs where the processor has the instructions.
                unsafe { (Self($ilo), Self($ihi)) }
            }

            #[inline(always)]
            fn deinterleave(lo: Self, hi: Self) -> (Self, Self) {
                let ($da, $db) = (lo.0, hi.0);
                // SAFETY: code that names this type runs where the processor has the instructions.
                unsafe { (Self($dlo), Self($dhi)) }
            }

            $(
                #[inline(always)]
                fn interleave_swapped(a: Self, b: Self) -> (Self, Self) {
                    let ($wa, $wb) = (a.0, b.0);
                    // SAFETY: code that names this type runs where the processor has the instructions.
                    unsafe { (Self($slo), Self($shi)) }
                }

                #[inline(always)]
                fn deinterleave_swapped(lo: Self, hi: Self) -> (Self, Self) {
                    let ($wa, $wb) = (lo.0, hi.0);
                    // SAFETY: code that names this type runs where the processor has the instructions.
                    unsafe { (Self($ulo), Self($uhi)) }
                }
            )?

            #[inline(always)]
            fn blend(even: Self, odd: Self) -> Self {
                let ($even, $odd) = (even.0, odd.0);
                // SAFETY: code that names this type runs where the processor has the instructions.
                Self(unsafe { $blend })
            }

            #[inline(always)]
            fn reverse(self) -> Self {
                let $r = self.0;
                // SAFETY: code that names this type runs where the processor has the instructions.
                Self(unsafe { $reverse })
            }

            #[inline(always)]
            fn sum(self) -> $elem {
                let $s = self.0;
                // SAFETY: code that names this type runs where the processor has the instructions.
                unsafe { $sum }
            }
        }
    };
}
pub(super) use register;
