//! The HQC-TF circuit, a whole run of circuits at a time: product state, passes, readout, and back.

use super::circuits::{Circuits, Readout};
use super::product::{
    self, Amp, grow, probability_gradient, qubit_gradient, qubit_probabilities, qubit_vectors,
    shrink,
};
use super::rotate::{Turn, close_ring, pass, pass_back};
use super::trig::sin_cos;
use crate::cpu::real::Real;
use crate::cpu::simd::Vector;
use num_traits::{One, Zero};

type Element<V> = <V as Vector>::Elem;

/// Working memory of one thread.
struct Scratch<V: Vector<Elem: Real>> {
    angles: Vec<Element<V>>,
    sin: Vec<Element<V>>,
    cos: Vec<Element<V>>,
    factors: Vec<[[Element<V>; 2]; 2]>,
    levels: [Vec<[Element<V>; 2]>; 2],
    grads: [Vec<[Element<V>; 2]>; 2],
    /// The bottom qubits' product, then the same reversed; and the gradients of both.
    bottom: Vec<Amp<V>>,
    grad_bottom: Vec<Amp<V>>,
    /// States one after another: ping-pong going forward, the input of every pass going back.
    states: Vec<Amp<V>>,
    lambda: [Vec<Amp<V>>; 2],
}

/// Sizes that all circuits share.
struct Sizes {
    qubits: usize,
    blocks: usize,
    /// Top qubits of the product state.
    top: usize,
    /// Vectors in the bottom qubits' product.
    bottom: usize,
    /// Vectors in a state.
    state: usize,
}

impl<V: Vector<Elem: Real>> Scratch<V> {
    fn new(sizes: &Sizes, states: usize, lambda: bool) -> Self {
        let n = sizes.qubits;
        let zero = Element::<V>::zero();
        // Whole vectors of angles: no loop over a remainder.
        let angles = (sizes.blocks * 2 * n).next_multiple_of(16);
        let below = n - sizes.top;
        let lambda = if lambda { sizes.state } else { 0 };
        Self {
            angles: vec![zero; angles],
            sin: vec![zero; angles],
            cos: vec![zero; angles],
            factors: vec![[[zero; 2]; 2]; n],
            levels: [vec![[zero; 2]; 2 << sizes.top], vec![[zero; 2]; 2 << below]],
            grads: [vec![[zero; 2]; 2 << sizes.top], vec![[zero; 2]; 2 << below]],
            bottom: vec![Amp::zero(); 2 * sizes.bottom],
            grad_bottom: vec![Amp::zero(); 2 * sizes.bottom],
            states: vec![Amp::zero(); states * sizes.state],
            lambda: [vec![Amp::zero(); lambda], vec![Amp::zero(); lambda]],
        }
    }

    #[inline(always)]
    fn trigonometry(&mut self, theta: &[Element<V>], scale: f64) {
        self.angles[..theta.len()].copy_from_slice(theta);
        sin_cos(&self.angles, scale, &mut self.sin, &mut self.cos);
    }

    /// Sine and cosine of RY's and RX's angle on a qubit of a block.
    #[inline(always)]
    fn at(&self, block: usize, q: usize, n: usize) -> [Element<V>; 4] {
        let y = block * 2 * n + q;
        [self.sin[y], self.cos[y], self.sin[y + n], self.cos[y + n]]
    }
}

impl Sizes {
    fn new<V: Vector<Elem: Real>>(circuits: &Circuits) -> Self {
        let top = product::top_qubits(circuits.qubits);
        Self {
            qubits: circuits.qubits,
            blocks: circuits.blocks,
            top,
            bottom: (1 << (circuits.qubits - top)) / V::LANES,
            state: (1 << circuits.qubits) / V::LANES,
        }
    }
}

/// Whether vectors of `lanes` serve circuits of `qubits`.
pub(super) fn fits(qubits: usize, lanes: usize) -> bool {
    qubits >= 3 && 1 << (qubits - 2) >= lanes
}

/// Row k of `rows` from the angles of circuit `run[k]`.
#[inline(always)]
pub(super) fn forward<V: Vector<Elem: Real>>(
    circuits: &Circuits,
    theta: &[Element<V>],
    run: &[usize],
    rows: &mut [Element<V>],
) {
    let sizes = Sizes::new::<V>(circuits);
    let real = circuits.blocks == 1 && circuits.readout == Readout::Probability;
    let mut scratch = Scratch::<V>::new(&sizes, if real { 0 } else { 2 }, false);
    let angles = circuits.angles();
    let scale = V::splat(Element::<V>::of(circuits.scale));
    let offset = V::splat(Element::<V>::of(circuits.offset));
    for (&circuit, row) in run.iter().zip(rows.chunks_exact_mut(circuits.used)) {
        let theta = &theta[circuit * angles..][..angles];
        if real {
            scratch.trigonometry(theta, 1.0);
            probabilities(&sizes, &mut scratch, circuits.scale, offset, row);
            continue;
        }
        scratch.trigonometry(theta, 0.5);
        let (mut now, mut next) = (0, sizes.state);
        product_state(&sizes, &mut scratch, now);
        for block in 1..sizes.blocks {
            for q in 0..sizes.qubits {
                let turn = Turn::new(scratch.at(block, q, sizes.qubits));
                let (low, high) = scratch.states.split_at_mut(sizes.state);
                let (x, y) = if now == 0 { (low, high) } else { (high, low) };
                if q == 0 {
                    pass::<V, true>(x, y, turn);
                } else {
                    pass::<V, false>(x, y, turn);
                }
                (now, next) = (next, now);
            }
        }
        let (lo, hi) = scratch.states[now..now + sizes.state].split_at(sizes.state / 2);
        for (v, (&lo, &hi)) in lo.iter().zip(hi).enumerate() {
            let (lo, hi) = close_ring(lo, hi);
            let read = |a: Amp<V>| match circuits.readout {
                Readout::Real => a.re,
                Readout::Probability => a.im.mul_add(a.im, a.re.mul(a.re)),
            };
            read(lo).mul_add(scale, offset).to_part(row, v * V::LANES);
            read(hi)
                .mul_add(scale, offset)
                .to_part(row, (v + sizes.state / 2) * V::LANES);
        }
    }
}

/// The gradient of circuit `c`'s angles from row `r` of `rows`, for each `(c, r)` of `run`.
#[inline(always)]
pub(super) fn backward<V: Vector<Elem: Real>>(
    circuits: &Circuits,
    theta: &[Element<V>],
    rows: &[Element<V>],
    run: &[(usize, usize)],
    grad: &mut [Element<V>],
) {
    let sizes = Sizes::new::<V>(circuits);
    let n = sizes.qubits;
    let real = circuits.blocks == 1 && circuits.readout == Readout::Probability;
    let states = if real { 0 } else { (sizes.blocks - 1) * n + 1 };
    let mut scratch = Scratch::<V>::new(&sizes, states, true);
    let angles = circuits.angles();
    for &(circuit, row) in run {
        let theta = &theta[circuit * angles..][..angles];
        let grad = &mut grad[circuit * angles..][..angles];
        let row = &rows[row * circuits.used..][..circuits.used];
        if real {
            scratch.trigonometry(theta, 1.0);
            probabilities_back(&sizes, &mut scratch, circuits.scale, row, grad);
            continue;
        }
        scratch.trigonometry(theta, 0.5);
        product_state(&sizes, &mut scratch, 0);
        let mut at = 0;
        for block in 1..sizes.blocks {
            for q in 0..n {
                let turn = Turn::new(scratch.at(block, q, n));
                let (x, y) = scratch.states[at..at + 2 * sizes.state].split_at_mut(sizes.state);
                if q == 0 {
                    pass::<V, true>(x, y, turn);
                } else {
                    pass::<V, false>(x, y, turn);
                }
                at += sizes.state;
            }
        }
        readout_back(&sizes, &mut scratch, at, circuits, row);
        for block in (1..sizes.blocks).rev() {
            for q in (0..n).rev() {
                at -= sizes.state;
                let [sy, cy, sx, cx] = scratch.at(block, q, n);
                let turn = Turn::transposed([sy, cy, sx, cx]);
                let whole = [sy * cy + sy * cy, cy * cy - sy * sy];
                let x = &scratch.states[at..at + sizes.state];
                let [after, before] = &mut scratch.lambda;
                let (y, x) = if q == 0 {
                    pass_back::<V, true>(x, after, before, turn, whole)
                } else {
                    pass_back::<V, false>(x, after, before, turn, whole)
                };
                (grad[block * 2 * n + q], grad[block * 2 * n + n + q]) = (y, x);
                scratch.lambda.swap(0, 1);
            }
        }
        product_back(&sizes, &mut scratch, grad);
    }
}

/// The state before the last CNOT of the first block, at `at` of `states`.
#[inline(always)]
fn product_state<V: Vector<Elem: Real>>(sizes: &Sizes, scratch: &mut Scratch<V>, at: usize) {
    product_parts(sizes, scratch);
    let state = &mut scratch.states[at..at + sizes.state];
    let top = &scratch.levels[0][1 << sizes.top..];
    for (i, (row, &a)) in state.chunks_exact_mut(sizes.bottom).zip(top).enumerate() {
        let a = Amp::splat(a);
        let bottom = &scratch.bottom[(i & 1) * sizes.bottom..];
        for (amp, &b) in row.iter_mut().zip(bottom) {
            *amp = a.times(b);
        }
    }
}

/// The products of the top and of the bottom qubits.
#[inline(always)]
fn product_parts<V: Vector<Elem: Real>>(sizes: &Sizes, scratch: &mut Scratch<V>) {
    let n = sizes.qubits;
    qubit_vectors(
        &scratch.sin[..2 * n],
        &scratch.cos[..2 * n],
        &mut scratch.factors,
    );
    let (top, below) = scratch.factors.split_at(sizes.top);
    grow(top, &mut scratch.levels[0]);
    grow(below, &mut scratch.levels[1]);
    let flat: &[Element<V>] = bytemuck::cast_slice(&scratch.levels[1][1 << (n - sizes.top)..]);
    let (straight, back) = scratch.bottom.split_at_mut(sizes.bottom);
    for (v, (b, r)) in straight.iter_mut().zip(back.iter_mut().rev()).enumerate() {
        let at = 2 * v * V::LANES;
        let (re, im) = V::deinterleave(
            V::from_slice(&flat[at..]),
            V::from_slice(&flat[at + V::LANES..]),
        );
        *b = Amp { re, im };
        *r = b.reverse();
    }
}

/// From `lambda[0]`, the gradient of the product state, to the angles of the first block.
#[inline(always)]
fn product_back<V: Vector<Elem: Real>>(
    sizes: &Sizes,
    scratch: &mut Scratch<V>,
    grad: &mut [Element<V>],
) {
    let n = sizes.qubits;
    let first = 1 << sizes.top;
    scratch.grad_bottom.fill(Amp::zero());
    let rows = scratch.lambda[0].chunks_exact(sizes.bottom);
    for (i, lambda) in rows.enumerate() {
        let a = Amp::splat(scratch.levels[0][first + i]);
        let part = (i & 1) * sizes.bottom;
        let mut sum = Amp::zero();
        for ((&g, &b), db) in lambda
            .iter()
            .zip(&scratch.bottom[part..])
            .zip(&mut scratch.grad_bottom[part..])
        {
            sum = g.times_add(b, sum);
            *db = g.times_add(a, *db);
        }
        scratch.grads[0][first + i] = [sum.re.sum(), sum.im.sum()];
    }
    let flat: &mut [Element<V>] =
        bytemuck::cast_slice_mut(&mut scratch.grads[1][1 << (n - sizes.top)..]);
    let (straight, back) = scratch.grad_bottom.split_at(sizes.bottom);
    for (v, (b, r)) in straight.iter().zip(back.iter().rev()).enumerate() {
        let r = r.reverse();
        let (lo, hi) = V::interleave(b.re.add(r.re), b.im.add(r.im));
        let at = 2 * v * V::LANES;
        lo.to_slice(&mut flat[at..]);
        hi.to_slice(&mut flat[at + V::LANES..]);
    }
    let (factors, below) = scratch.factors.split_at(sizes.top);
    for (side, (factors, from)) in [(factors, 0), (below, sizes.top)].into_iter().enumerate() {
        let (sin, cos) = (&scratch.sin, &scratch.cos);
        let found = |q: usize, g| {
            let q = from + q;
            let trig = [sin[q], cos[q], sin[n + q], cos[n + q]];
            (grad[q], grad[n + q]) = qubit_gradient(trig, g);
        };
        shrink(
            factors,
            &scratch.levels[side],
            &mut scratch.grads[side],
            found,
        );
    }
}

/// `lambda[0]` from the gradient of the readout; the state lies at `at`, its last CNOT undone.
#[inline(always)]
fn readout_back<V: Vector<Elem: Real>>(
    sizes: &Sizes,
    scratch: &mut Scratch<V>,
    at: usize,
    circuits: &Circuits,
    row: &[Element<V>],
) {
    let half = sizes.state / 2;
    let factor = match circuits.readout {
        Readout::Real => circuits.scale,
        Readout::Probability => 2.0 * circuits.scale,
    };
    let factor = V::splat(Element::<V>::of(factor));
    let minus = V::splat(-Element::<V>::one());
    let (lo, hi) = scratch.states[at..at + sizes.state].split_at(half);
    let (out_lo, out_hi) = scratch.lambda[0].split_at_mut(half);
    for v in 0..half {
        let g0 = V::from_part(row, v * V::LANES).mul(factor);
        let g1 = V::from_part(row, (v + half) * V::LANES).mul(factor);
        let (a, b) = match circuits.readout {
            Readout::Real => {
                let im = Amp::<V>::zero().im;
                (Amp { re: g0, im }, Amp { re: g1, im })
            }
            Readout::Probability => {
                let (a, b) = close_ring(lo[v], hi[v]);
                let conjugate = |x: Amp<V>, g: V| Amp {
                    re: x.re.mul(g),
                    im: x.im.mul(g).mul(minus),
                };
                (conjugate(a, g0), conjugate(b, g1))
            }
        };
        (out_lo[v], out_hi[v]) = close_ring(a, b);
    }
}

/// One block, probabilities: they are a real Kronecker product themselves.
#[inline(always)]
fn probabilities<V: Vector<Elem: Real>>(
    sizes: &Sizes,
    scratch: &mut Scratch<V>,
    scale: f64,
    offset: V,
    row: &mut [Element<V>],
) {
    probability_parts(sizes, scratch);
    let top: &[Element<V>] =
        &bytemuck::cast_slice(&scratch.levels[0])[1 << sizes.top..2 << sizes.top];
    let (flip, scale) = (top.len() / 2, Element::<V>::of(scale));
    for i in 0..top.len() {
        let a = V::blend(V::splat(top[i] * scale), V::splat(top[i ^ flip] * scale));
        let bottom = &scratch.bottom[(i & 1) * sizes.bottom..][..sizes.bottom];
        for (v, b) in bottom.iter().enumerate() {
            a.mul_add(b.re, offset)
                .to_part(row, (i * sizes.bottom + v) * V::LANES);
        }
    }
}

/// Real products of the top and the bottom qubits, in the real parts of `bottom`; the levels
/// lie in the first halves of `levels`.
#[inline(always)]
fn probability_parts<V: Vector<Elem: Real>>(sizes: &Sizes, scratch: &mut Scratch<V>) {
    let n = sizes.qubits;
    let factors: &mut [[[Element<V>; 1]; 2]] = bytemuck::cast_slice_mut(&mut scratch.factors);
    qubit_probabilities(
        &scratch.sin[..2 * n],
        &scratch.cos[..2 * n],
        &mut factors[..n],
    );
    let (top, below) = factors[..n].split_at(sizes.top);
    grow::<[Element<V>; 1]>(top, bytemuck::cast_slice_mut(&mut scratch.levels[0]));
    grow::<[Element<V>; 1]>(below, bytemuck::cast_slice_mut(&mut scratch.levels[1]));
    let flat: &[Element<V>] = &bytemuck::cast_slice(&scratch.levels[1])[1 << (n - sizes.top)..];
    let (straight, back) = scratch.bottom.split_at_mut(sizes.bottom);
    for (v, (b, r)) in straight.iter_mut().zip(back.iter_mut().rev()).enumerate() {
        b.re = V::from_slice(&flat[v * V::LANES..]);
        r.re = b.re.reverse();
    }
}

/// The gradient of [`probabilities`].
#[inline(always)]
fn probabilities_back<V: Vector<Elem: Real>>(
    sizes: &Sizes,
    scratch: &mut Scratch<V>,
    scale: f64,
    row: &[Element<V>],
    grad: &mut [Element<V>],
) {
    probability_parts(sizes, scratch);
    let n = sizes.qubits;
    let first = 1 << sizes.top;
    let flip = first / 2;
    let zero = V::splat(Element::<V>::zero());
    for db in &mut scratch.grad_bottom {
        db.re = zero;
    }
    let top: &[Element<V>] = &bytemuck::cast_slice(&scratch.levels[0])[first..2 * first];
    for i in 0..first {
        let a = V::blend(V::splat(top[i]), V::splat(top[i ^ flip]));
        let part = (i & 1) * sizes.bottom;
        let mut sum = zero;
        for v in 0..sizes.bottom {
            let g = V::from_part(row, (i * sizes.bottom + v) * V::LANES);
            sum = g.mul_add(scratch.bottom[part + v].re, sum);
            let db = &mut scratch.grad_bottom[part + v];
            db.re = g.mul_add(a, db.re);
        }
        scratch.lambda[0][i].re = sum;
    }
    let grads: &mut [Element<V>] = bytemuck::cast_slice_mut(&mut scratch.grads[0]);
    for i in 0..first {
        let (even, odd) = (scratch.lambda[0][i].re, scratch.lambda[0][i ^ flip].re);
        grads[first + i] = V::blend(even, odd).sum();
    }
    let grads: &mut [Element<V>] = bytemuck::cast_slice_mut(&mut scratch.grads[1]);
    let (straight, back) = scratch.grad_bottom.split_at(sizes.bottom);
    for (v, (b, r)) in straight.iter().zip(back.iter().rev()).enumerate() {
        b.re.add(r.re.reverse())
            .to_slice(&mut grads[(1 << (n - sizes.top)) + v * V::LANES..]);
    }
    let factors: &[[[Element<V>; 1]; 2]] = &bytemuck::cast_slice(&scratch.factors)[..n];
    let (above, below) = factors.split_at(sizes.top);
    let scale = Element::<V>::of(scale);
    for (side, (factors, from)) in [(above, 0), (below, sizes.top)].into_iter().enumerate() {
        let (sin, cos) = (&scratch.sin, &scratch.cos);
        let found = |q: usize, g: [[Element<V>; 1]; 2]| {
            let q = from + q;
            let trig = [sin[q], cos[q], sin[n + q], cos[n + q]];
            let (y, x) = probability_gradient(trig, g);
            (grad[q], grad[n + q]) = (y * scale, x * scale);
        };
        shrink::<[Element<V>; 1]>(
            factors,
            bytemuck::cast_slice(&scratch.levels[side]),
            bytemuck::cast_slice_mut(&mut scratch.grads[side]),
            found,
        );
    }
}
