//! Registers in plain Rust: arrays, which the compiler vectorises as far as it can, and two registers side by side.

use num_traits::Float;

use super::vector::Vector;

/// `N` elements in an array. `FMA`: whether the processor multiplies and adds in one instruction; without it, the call of
/// a library function for each lane would be far slower than a product and a sum.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub struct Array<T, const N: usize, const FMA: bool>([T; N]);

impl<T: Float, const N: usize, const FMA: bool> Array<T, N, FMA> {
    #[inline(always)]
    fn each(f: impl Fn(usize) -> T) -> Self {
        let mut out = [T::zero(); N];
        let mut lane = 0;
        while lane < N {
            out[lane] = f(lane);
            lane += 1;
        }
        Self(out)
    }
}

impl<T: Float, const N: usize, const FMA: bool> Vector for Array<T, N, FMA> {
    type Elem = T;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; N])
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller promises `N` elements.
        Self(unsafe { from.cast::<[T; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller promises room for `N` elements.
        unsafe { to.cast::<[T; N]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self::each(|l| self.0[l] + b.0[l])
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self::each(|l| self.0[l] - b.0[l])
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self::each(|l| self.0[l] * b.0[l])
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
    fn deinterleave(lo: Self, hi: Self) -> (Self, Self) {
        let at = |i: usize| if i < N { lo.0[i] } else { hi.0[i - N] };
        (Self::each(|l| at(2 * l)), Self::each(|l| at(2 * l + 1)))
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
    fn sum(self) -> T {
        let mut part = self.0;
        let mut half = N / 2;
        while half > 0 {
            let mut l = 0;
            while l < half {
                part[l] = part[l] + part[l + half];
                l += 1;
            }
            half /= 2;
        }
        part[0]
    }
}

/// Two registers as one of twice the length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<V>(V, V);

impl<V: Vector> Vector for Pair<V> {
    type Elem = V::Elem;
    const LANES: usize = 2 * V::LANES;

    #[inline(always)]
    fn splat(x: V::Elem) -> Self {
        Self(V::splat(x), V::splat(x))
    }

    #[inline(always)]
    unsafe fn load(from: *const V::Elem) -> Self {
        // SAFETY: the caller promises the elements of both halves.
        unsafe { Self(V::load(from), V::load(from.add(V::LANES))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut V::Elem) {
        // SAFETY: the caller promises room for both halves.
        unsafe {
            self.0.store(to);
            self.1.store(to.add(V::LANES));
        }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(self.0.add(b.0), self.1.add(b.1))
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(self.0.sub(b.0), self.1.sub(b.1))
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(self.0.mul(b.0), self.1.mul(b.1))
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0), self.1.mul_add(b.1, c.1))
    }

    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.neg_mul_add(b.0, c.0), self.1.neg_mul_add(b.1, c.1))
    }

    #[inline(always)]
    fn interleave(a: Self, b: Self) -> (Self, Self) {
        let (lo, hi) = (V::interleave(a.0, b.0), V::interleave(a.1, b.1));
        (Self(lo.0, lo.1), Self(hi.0, hi.1))
    }

    #[inline(always)]
    fn deinterleave(lo: Self, hi: Self) -> (Self, Self) {
        let (first, second) = (V::deinterleave(lo.0, lo.1), V::deinterleave(hi.0, hi.1));
        (Self(first.0, second.0), Self(first.1, second.1))
    }

    #[inline(always)]
    fn blend(even: Self, odd: Self) -> Self {
        Self(V::blend(even.0, odd.0), V::blend(even.1, odd.1))
    }

    #[inline(always)]
    fn reverse(self) -> Self {
        Self(self.1.reverse(), self.0.reverse())
    }

    #[inline(always)]
    fn sum(self) -> V::Elem {
        self.0.add(self.1).sum()
    }
}
