//! `lpp`: probabilities and index bits through a trained affine map,
//! `y_i = w_0 p_i + sum_j w_(1+j) d_j(i) + b`, `d_0` the lowest bit of `i`.
//!
//! Rows of `used` amplitudes; `w` and `b` are one set for the layer or one per row (`groups`).

use super::call::{Call, WrongOp};
use super::real::Real;
use hqcc_compiler::ops;
use rayon::prelude::*;

/// `lpp` of a node.
pub fn lpp<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let bits = call.op::<ops::Lpp>()?.qubits;
    let lpp = Lpp {
        used: call.types[0].shape[1],
        bits,
        groups: call.types[1].shape[0],
    };
    lpp.forward(call.inputs[0], call.inputs[1], call.inputs[2], call.output);
    Ok(())
}

/// `lpp_grad_probability` of a node.
pub fn lpp_grad_probability<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let bits = call.op::<ops::LppGradProbability>()?.qubits;
    let lpp = Lpp {
        used: call.types[0].shape[1],
        bits,
        groups: call.types[1].shape[0],
    };
    lpp.grad_probability(call.inputs[1], call.inputs[0], call.output);
    Ok(())
}

/// `lpp_grad_parameters` of a node.
pub fn lpp_grad_parameters<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::LppGradParameters>()?;
    let lpp = Lpp {
        used: call.types[0].shape[1],
        bits: op.qubits,
        groups: op.sets,
    };
    lpp.grad_parameters(call.inputs[0], call.inputs[1], call.output);
    Ok(())
}

/// Shapes of an `lpp`.
#[derive(Clone, Copy, Debug)]
pub struct Lpp {
    /// Amplitudes in a row.
    pub used: usize,
    /// Bits of the index, the circuit's qubits.
    pub bits: usize,
    /// Sets of `w` and `b`: 1, or as many as there are rows.
    pub groups: usize,
}

const ROWS: usize = 32;

impl Lpp {
    /// Shapes: `p, y: [rows, used]`, `w: [groups, 1 + bits]`, `b: [groups]`.
    pub fn forward<R: Real>(&self, p: &[R], w: &[R], b: &[R], y: &mut [R]) {
        let shared = (self.groups == 1).then(|| self.offsets(w, b[0]));
        let chunk = ROWS * self.used;
        y.par_chunks_mut(chunk)
            .zip(p.par_chunks(chunk))
            .enumerate()
            .for_each(|(task, (y, p))| {
                let rows = y.chunks_exact_mut(self.used).zip(p.chunks_exact(self.used));
                for (row, (y, p)) in rows.enumerate() {
                    let group = task * ROWS + row;
                    let own;
                    let (scale, offsets) = match &shared {
                        Some(offsets) => (w[0], offsets),
                        None => {
                            let w = self.set(w, group);
                            own = self.offsets(w, b[group]);
                            (w[0], &own)
                        }
                    };
                    for (y, (&p, &offset)) in y.iter_mut().zip(p.iter().zip(offsets)) {
                        *y = scale * p + offset;
                    }
                }
            });
    }

    /// The gradient of the probabilities: `w_0 dy`.
    pub fn grad_probability<R: Real>(&self, w: &[R], dy: &[R], dp: &mut [R]) {
        dp.par_chunks_mut(self.used)
            .zip(dy.par_chunks(self.used))
            .enumerate()
            .for_each(|(row, (dp, dy))| {
                let scale = self.set(w, if self.groups == 1 { 0 } else { row })[0];
                for (dp, &dy) in dp.iter_mut().zip(dy) {
                    *dp = scale * dy;
                }
            });
    }

    /// The gradients of `w` and `b`, `[groups, 2 + bits]`, that of `b` last. Summed in f64, in order.
    pub fn grad_parameters<R: Real>(&self, p: &[R], dy: &[R], grad: &mut [R]) {
        let width = 2 + self.bits;
        let rows: Vec<Vec<f64>> = p
            .par_chunks(self.used)
            .zip(dy.par_chunks(self.used))
            .with_min_len(8)
            .map(|(p, dy)| {
                let mut sums = vec![0.0; width];
                let mut layer: Vec<f64> = dy.iter().map(|g| g.f64()).collect();
                sums[0] = p.iter().zip(&layer).map(|(p, g)| p.f64() * g).sum();
                for sum in &mut sums[1..=self.bits] {
                    *sum = layer.iter().skip(1).step_by(2).sum();
                    layer = layer.chunks(2).map(|pair| pair.iter().sum()).collect();
                }
                sums[1 + self.bits] = layer.iter().sum();
                sums
            })
            .collect();
        if self.groups == 1 {
            for (at, grad) in grad.iter_mut().enumerate() {
                *grad = R::of(rows.iter().map(|row| row[at]).sum());
            }
        } else {
            for (grad, row) in grad.chunks_exact_mut(width).zip(&rows) {
                for (grad, &sum) in grad.iter_mut().zip(row) {
                    *grad = R::of(sum);
                }
            }
        }
    }

    fn set<'a, R>(&self, w: &'a [R], group: usize) -> &'a [R] {
        &w[group * (1 + self.bits)..][..1 + self.bits]
    }

    /// `sum_j w_(1+j) d_j(i) + b` for every index.
    fn offsets<R: Real>(&self, w: &[R], b: R) -> Vec<R> {
        (0..self.used)
            .map(|i| {
                let bits = (0..self.bits).filter(|j| i >> j & 1 == 1);
                b + bits.map(|j| w[1 + j]).sum()
            })
            .collect()
    }
}
