//! The first block of the HQC-TF circuit: a Kronecker product behind a run of CNOT gates.
//!
//! After H, RY and RX the state is the product of one vector per qubit. The chain of CNOT gates
//! q -> q+1 makes bit q the sum (mod 2) of bits 0..q, so that growing the product by qubit q puts
//! `prev[j] * u[b]` at `2j + (b xor (j & 1))`. Cut into top and bottom qubits, amplitude
//! `(i, j)` is `top[i] * bottom[j]`, with `bottom` reversed where `i` is odd (flipping the first
//! bottom bit flips all that follow): 2^N products in all, nothing of size 2^N x N. The last gate
//! N-1 -> 0, which exchanges odd amplitudes between the two halves, is left to the reader of the
//! state. The gradient walks the same tree backwards.

use crate::cpu::real::Real;
use crate::cpu::simd::Vector;
use num_traits::Zero;

/// Complex vectors: split into real and imaginary parts.
#[derive(Clone, Copy)]
pub(super) struct Amp<V> {
    pub re: V,
    pub im: V,
}

impl<V: Vector<Elem: Real>> Amp<V> {
    #[inline(always)]
    pub fn zero() -> Self {
        let zero = V::splat(V::Elem::zero());
        Self { re: zero, im: zero }
    }

    #[inline(always)]
    pub fn splat(x: [V::Elem; 2]) -> Self {
        Self {
            re: V::splat(x[0]),
            im: V::splat(x[1]),
        }
    }

    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        let im = self.im.mul(other.re);
        Self {
            re: self.im.neg_mul_add(other.im, self.re.mul(other.re)),
            im: self.re.mul_add(other.im, im),
        }
    }

    /// `self * other + sum`.
    #[inline(always)]
    pub fn times_add(self, other: Self, sum: Self) -> Self {
        let re = self.re.mul_add(other.re, sum.re);
        let im = self.re.mul_add(other.im, sum.im);
        Self {
            re: self.im.neg_mul_add(other.im, re),
            im: self.im.mul_add(other.re, im),
        }
    }

    #[inline(always)]
    pub fn reverse(self) -> Self {
        Self {
            re: self.re.reverse(),
            im: self.im.reverse(),
        }
    }
}

/// A scalar that grows into a product: real (probabilities) or complex (amplitudes).
pub(super) trait Scalar: Copy {
    fn zero() -> Self;
    fn one() -> Self;
    fn times(self, other: Self) -> Self;
    fn plus(self, other: Self) -> Self;
}

impl<R: Real> Scalar for [R; 1] {
    #[inline(always)]
    fn zero() -> Self {
        [R::zero()]
    }
    #[inline(always)]
    fn one() -> Self {
        [R::one()]
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        [self[0] * other[0]]
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0] + other[0]]
    }
}

impl<R: Real> Scalar for [R; 2] {
    #[inline(always)]
    fn zero() -> Self {
        [R::zero(), R::zero()]
    }
    #[inline(always)]
    fn one() -> Self {
        [R::one(), R::zero()]
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        [
            self[0] * other[0] - self[1] * other[1],
            self[0] * other[1] + self[1] * other[0],
        ]
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0] + other[0], self[1] + other[1]]
    }
}

/// Every level of the product of `factors`: level k (the first k factors) at `2^k .. 2^(k+1)`.
#[inline(always)]
pub(super) fn grow<S: Scalar>(factors: &[[S; 2]], levels: &mut [S]) {
    levels[1] = S::one();
    for (k, u) in factors.iter().enumerate() {
        let (done, next) = levels.split_at_mut(2 << k);
        let prev = &done[1 << k..];
        if k == 0 {
            (next[0], next[1]) = (u[0], u[1]);
            continue;
        }
        for (out, prev) in next[..2 << k].chunks_exact_mut(4).zip(prev.chunks_exact(2)) {
            out[0] = prev[0].times(u[0]);
            out[1] = prev[0].times(u[1]);
            out[2] = prev[1].times(u[1]);
            out[3] = prev[1].times(u[0]);
        }
    }
}

/// From the gradient of the last level (at the end of `grad`, which is overwritten) to that of each
/// factor.
#[inline(always)]
pub(super) fn shrink<S: Scalar>(
    factors: &[[S; 2]],
    levels: &[S],
    grad: &mut [S],
    mut found: impl FnMut(usize, [S; 2]),
) {
    for (k, u) in factors.iter().enumerate().rev() {
        let (low, high) = grad.split_at_mut(2 << k);
        let prev = &levels[1 << k..2 << k];
        let mut du = [S::zero(); 2];
        if k == 0 {
            found(0, [high[0], high[1]]);
            continue;
        }
        for ((dprev, prev), dout) in low[1 << k..]
            .chunks_exact_mut(2)
            .zip(prev.chunks_exact(2))
            .zip(high[..2 << k].chunks_exact(4))
        {
            du[0] = du[0]
                .plus(prev[0].times(dout[0]))
                .plus(prev[1].times(dout[3]));
            du[1] = du[1]
                .plus(prev[0].times(dout[1]))
                .plus(prev[1].times(dout[2]));
            dprev[0] = u[0].times(dout[0]).plus(u[1].times(dout[1]));
            dprev[1] = u[1].times(dout[2]).plus(u[0].times(dout[3]));
        }
        found(k, du);
    }
}

/// How many of `qubits` count as top: at most 2^[`BOTTOM`] amplitudes are below, and the top has two qubits at least.
pub(super) fn top_qubits(qubits: usize) -> usize {
    qubits.saturating_sub(BOTTOM).max(2)
}

/// Most bottom qubits: 32 complex amplitudes are four registers of AVX-512 in single precision, which stay in registers
/// while the amplitudes of the top qubits pass by.
const BOTTOM: usize = 5;

/// `RX RY |+>` of each qubit, from sine and cosine of the half angles (RY's first, then RX's).
#[inline(always)]
pub(super) fn qubit_vectors<R: Real>(sin: &[R], cos: &[R], out: &mut [[[R; 2]; 2]]) {
    let n = out.len();
    let root = R::FRAC_1_SQRT_2();
    for (q, u) in out.iter_mut().enumerate() {
        let (sy, cy, sx, cx) = (sin[q], cos[q], sin[n + q], cos[n + q]);
        let (v0, v1) = ((cy - sy) * root, (cy + sy) * root);
        *u = [[cx * v0, -sx * v1], [cx * v1, -sx * v0]];
    }
}

/// The angle gradients of a qubit from `g`, the gradient of its vector as the bilinear
/// `dL = Re(g . du)`: with respect to RY's angle and RX's.
#[inline(always)]
pub(super) fn qubit_gradient<R: Real>([sy, cy, sx, cx]: [R; 4], g: [[R; 2]; 2]) -> (R, R) {
    let half_root = R::FRAC_1_SQRT_2() * R::of(0.5);
    let (v0, v1) = ((cy - sy) * half_root, (cy + sy) * half_root);
    let dy = cx * (g[1][0] * v0 - g[0][0] * v1) + sx * (g[0][1] * v0 - g[1][1] * v1);
    let dx = cx * (g[0][1] * v1 + g[1][1] * v0) - sx * (g[0][0] * v0 + g[1][0] * v1);
    (dy, dx)
}

/// The probabilities of each qubit, from sine and cosine of the whole angles.
#[inline(always)]
pub(super) fn qubit_probabilities<R: Real>(sin: &[R], cos: &[R], out: &mut [[[R; 1]; 2]]) {
    let n = out.len();
    let half = R::of(0.5);
    for (q, p) in out.iter_mut().enumerate() {
        let z = sin[q] * cos[n + q];
        *p = [[(R::one() - z) * half], [(R::one() + z) * half]];
    }
}

/// The angle gradients of a qubit from the gradient of its probabilities.
#[inline(always)]
pub(super) fn probability_gradient<R: Real>([sy, cy, sx, cx]: [R; 4], g: [[R; 1]; 2]) -> (R, R) {
    let z = (g[1][0] - g[0][0]) * R::of(0.5);
    (z * cy * cx, -z * sy * sx)
}
