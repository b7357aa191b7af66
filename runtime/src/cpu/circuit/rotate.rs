//! Later blocks of the HQC-TF circuit: one pass over the state per qubit.
//!
//! A pass pairs the two halves of its input (the qubit at the top of the index), applies RX RY
//! as one 2x2 matrix and writes the pair side by side (the qubit now at the bottom). After N passes
//! every qubit is back in place, each pass having read and written whole vectors. Once written, bit
//! q - 1 lies lowest, so that the CNOT q-1 -> q is an exchange in odd lanes, part of the
//! shuffle that the pass needs anyway. What is left of the ring, N-1 -> 0, exchanges odd lanes of
//! the two halves; the next block's first pass or the readout does so.

use super::product::Amp;
use crate::cpu::real::Real;
use crate::cpu::simd::Vector;
use num_traits::Zero;

/// RX(x) RY(y) as `[[a - ib, -c - id], [c - id, a + ib]]`.
#[derive(Clone, Copy)]
pub(super) struct Turn<V> {
    a: V,
    b: V,
    c: V,
    d: V,
}

impl<V: Vector<Elem: Real>> Turn<V> {
    #[inline(always)]
    pub fn new([sy, cy, sx, cx]: [V::Elem; 4]) -> Self {
        Self {
            a: V::splat(cx * cy),
            b: V::splat(sx * sy),
            c: V::splat(cx * sy),
            d: V::splat(sx * cy),
        }
    }

    /// The transposed matrix.
    #[inline(always)]
    pub fn transposed([sy, cy, sx, cx]: [V::Elem; 4]) -> Self {
        Self {
            c: V::splat(-cx * sy),
            ..Self::new([sy, cy, sx, cx])
        }
    }

    #[inline(always)]
    fn apply(&self, x0: Amp<V>, x1: Amp<V>) -> (Amp<V>, Amp<V>) {
        let Self { a, b, c, d } = *self;
        let re0 = c.neg_mul_add(x1.re, b.mul_add(x0.im, a.mul(x0.re)));
        let im0 = c.neg_mul_add(x1.im, b.neg_mul_add(x0.re, a.mul(x0.im)));
        let re1 = a.mul_add(x1.re, d.mul_add(x0.im, c.mul(x0.re)));
        let im1 = a.mul_add(x1.im, d.neg_mul_add(x0.re, c.mul(x0.im)));
        (
            Amp {
                re: d.mul_add(x1.im, re0),
                im: d.neg_mul_add(x1.re, im0),
            },
            Amp {
                re: b.neg_mul_add(x1.im, re1),
                im: b.mul_add(x1.re, im1),
            },
        )
    }
}

#[inline(always)]
fn both<V: Vector<Elem: Real>>(
    a: Amp<V>,
    b: Amp<V>,
    f: impl Fn(V, V) -> (V, V),
) -> (Amp<V>, Amp<V>) {
    let (re0, re1) = f(a.re, b.re);
    let (im0, im1) = f(a.im, b.im);
    (Amp { re: re0, im: im0 }, Amp { re: re1, im: im1 })
}

/// The CNOT N-1 -> 0 on a vector of each half of the state.
#[inline(always)]
pub(super) fn close_ring<V: Vector<Elem: Real>>(lo: Amp<V>, hi: Amp<V>) -> (Amp<V>, Amp<V>) {
    both(lo, hi, |a, b| (V::blend(a, b), V::blend(b, a)))
}

/// The pass of one qubit. `FIRST`: it is qubit 0.
#[inline(always)]
pub(super) fn pass<V: Vector<Elem: Real>, const FIRST: bool>(
    x: &[Amp<V>],
    y: &mut [Amp<V>],
    turn: Turn<V>,
) {
    let (lo, hi) = x.split_at(x.len() / 2);
    for ((out, &a), &b) in y.chunks_exact_mut(2).zip(lo).zip(hi) {
        let (a, b) = if FIRST { close_ring(a, b) } else { (a, b) };
        let (a, b) = turn.apply(a, b);
        (out[0], out[1]) = if FIRST {
            both(a, b, V::interleave)
        } else {
            both(a, b, V::interleave_swapped)
        };
    }
}

/// Takes `after`, the gradient of a pass's output in the bilinear sense `dL = Re(after . dy)`, to
/// `before`, that of its input `x`; returns the gradients of the RY and RX angles. `turn` is the
/// transposed matrix, `[sy, cy]` belong to the whole angle of RY.
#[inline(always)]
pub(super) fn pass_back<V: Vector<Elem: Real>, const FIRST: bool>(
    x: &[Amp<V>],
    after: &[Amp<V>],
    before: &mut [Amp<V>],
    turn: Turn<V>,
    [sy, cy]: [V::Elem; 2],
) -> (V::Elem, V::Elem) {
    let half = x.len() / 2;
    let (lo, hi) = x.split_at(half);
    let (out_lo, out_hi) = before.split_at_mut(half);
    let zero = V::splat(V::Elem::zero());
    // Sums of Re(l1 p0), -Re(l0 p1), Im(l0 p1), Im(l1 p0), Im(l0 p0), -Im(l1 p1).
    let mut sum = [zero; 6];
    for ((((g, &p0), &p1), out0), out1) in after
        .chunks_exact(2)
        .zip(lo)
        .zip(hi)
        .zip(out_lo)
        .zip(out_hi)
    {
        let (a, b) = if FIRST {
            both(g[0], g[1], V::deinterleave)
        } else {
            both(g[0], g[1], V::deinterleave_swapped)
        };
        let (l0, l1) = turn.apply(a, b);
        let (p0, p1) = if FIRST { close_ring(p0, p1) } else { (p0, p1) };
        sum[0] = l1.im.neg_mul_add(p0.im, l1.re.mul_add(p0.re, sum[0]));
        sum[1] = l0.im.mul_add(p1.im, l0.re.neg_mul_add(p1.re, sum[1]));
        sum[2] = l0.im.mul_add(p1.re, l0.re.mul_add(p1.im, sum[2]));
        sum[3] = l1.im.mul_add(p0.re, l1.re.mul_add(p0.im, sum[3]));
        sum[4] = l0.im.mul_add(p0.re, l0.re.mul_add(p0.im, sum[4]));
        sum[5] = l1.im.neg_mul_add(p1.re, l1.re.neg_mul_add(p1.im, sum[5]));
        (*out0, *out1) = if FIRST { close_ring(l0, l1) } else { (l0, l1) };
    }
    let half = V::Elem::of(0.5);
    let (y, x, z) = (
        sum[0].add(sum[1]).sum() * half,
        sum[2].add(sum[3]).sum() * half,
        sum[4].add(sum[5]).sum() * half,
    );
    (y, x * cy + z * sy)
}
