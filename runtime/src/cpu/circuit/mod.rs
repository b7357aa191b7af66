//! All circuits of a layer: from angles to the readout, and from its gradient to the angles.
//!
//! The HQC-TF circuit on three or more qubits takes the fast way (`hqc_tf`); any other is run gate
//! by gate (`general`). Both read and write rows of amplitudes or a weight as it lies in memory, so
//! that a generated weight is written once.

mod circuits;
mod general;
mod hqc_tf;
mod product;
mod rotate;
#[cfg(test)]
mod tests;
mod trig;

use super::call::{Call, WrongOp};
use super::real::Real;
use super::shared::Shared;
use super::simd::{self, Set, Vector, Work};
pub use circuits::{Circuits, Order, Readout};
use general::Prepared;
use hqcc_compiler::ops;
use rayon::prelude::*;
use std::marker::PhantomData;

/// `circuit`: the readout of every circuit of a layer.
pub fn circuit<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let circuits = Circuits::new(call.op()?, &call.types[0]);
    circuits.forward(call.inputs[0], call.output);
    Ok(())
}

/// `circuit_grad`: the gradient of every angle.
pub fn circuit_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::CircuitGrad>()?;
    let circuits = Circuits::new(&op.circuit, &call.types[0]);
    circuits.backward(call.inputs[0], call.inputs[1], call.output);
    Ok(())
}

impl Circuits {
    /// Circuits that one task takes: every thread has several tasks, none is shorter than its own overhead.
    fn per_task(&self) -> usize {
        let passes = 1 + self.blocks.saturating_sub(1) * self.qubits;
        let least = TASK_AMPLITUDES / (passes << self.qubits);
        let tasks = 8 * rayon::current_num_threads();
        self.count.div_ceil(tasks).clamp(1, 64).max(least)
    }

    /// The readout of every circuit.
    ///
    /// Shapes: `theta: [count, angles]`, `y: [count * used]` in the layer's order. Angles in radians.
    pub fn forward<R: Real>(&self, theta: &[R], y: &mut [R]) {
        let general = self.general();
        let (positions, targets) = (self.order.positions(), self.targets());
        let circuit = |slot: usize| (slot % targets) * positions + slot / targets;
        let columns = matches!(self.order, Order::Columns { .. });
        if !columns {
            let per_task = self.per_task();
            y.par_chunks_mut(per_task * self.used)
                .enumerate()
                .for_each(|(task, rows)| {
                    let slots = task * per_task..task * per_task + rows.len() / self.used;
                    let run: Vec<usize> = slots.map(circuit).collect();
                    self.forward_run(general.as_ref(), theta, &run, rows);
                });
            return;
        }
        let width = COLUMNS.min(targets);
        let groups = targets.div_ceil(width);
        let plane = targets * self.used;
        let whole = Shared::new(y);
        (0..positions * groups).into_par_iter().for_each_init(
            || vec![R::zero(); width * self.used],
            |rows, task| {
                let (position, first) = (task / groups, task % groups * width);
                let width = width.min(targets - first);
                let rows = &mut rows[..width * self.used];
                let run: Vec<usize> = (first..first + width)
                    .map(|target| target * positions + position)
                    .collect();
                self.forward_run(general.as_ref(), theta, &run, rows);
                for amplitude in 0..self.used {
                    let at = position * plane + amplitude * targets + first;
                    // SAFETY: tasks differ in position or in targets, so no element has two writers.
                    let line = unsafe { whole.part(at, width) };
                    for (target, to) in line.iter_mut().enumerate() {
                        *to = rows[target * self.used + amplitude];
                    }
                }
            },
        );
    }

    /// The gradient of every angle from the gradient of the readout; the states are computed again.
    ///
    /// Shapes: `theta` and `grad`: `[count, angles]`, `dy: [count * used]` in the layer's order.
    pub fn backward<R: Real>(&self, theta: &[R], dy: &[R], grad: &mut [R]) {
        let general = self.general();
        let (positions, targets) = (self.order.positions(), self.targets());
        let angles = self.angles();
        let columns = matches!(self.order, Order::Columns { .. });
        let per_task = if columns {
            COLUMNS.min(targets)
        } else {
            self.per_task().div_ceil(positions)
        };
        let chunk = per_task * positions * angles;
        grad.par_chunks_mut(chunk)
            .zip(theta.par_chunks(chunk))
            .enumerate()
            .for_each(|(task, (grad, theta))| {
                let first = task * per_task;
                let width = grad.len() / (positions * angles);
                if !columns {
                    let run: Vec<(usize, usize)> = (0..width * positions)
                        .map(|c| (c, c % positions * targets + first + c / positions))
                        .collect();
                    self.backward_run(general.as_ref(), theta, dy, &run, grad);
                    return;
                }
                let mut rows = vec![R::zero(); width * self.used];
                for position in 0..positions {
                    for amplitude in 0..self.used {
                        let at = (position * self.used + amplitude) * targets + first;
                        for (target, &from) in dy[at..at + width].iter().enumerate() {
                            rows[target * self.used + amplitude] = from;
                        }
                    }
                    let run: Vec<(usize, usize)> = (0..width)
                        .map(|target| (target * positions + position, target))
                        .collect();
                    self.backward_run(general.as_ref(), theta, &rows, &run, grad);
                }
            });
    }

    /// The whole state of one circuit, gate by gate, as `[re, im]`: for looking at, not for speed.
    pub fn state<R: Real>(&self, theta: &[R]) -> Vec<[R; 2]> {
        Prepared::new(self).state(theta)
    }

    /// The circuits made ready for the gate-by-gate way, where they take it.
    fn general(&self) -> Option<Prepared<'_>> {
        let fast = self.ansatz.is_hqc_tf() && self.qubits >= 3;
        (!fast).then(|| Prepared::new(self))
    }

    /// Row k of `rows` from circuit `run[k]`.
    fn forward_run<R: Real>(
        &self,
        general: Option<&Prepared<'_>>,
        theta: &[R],
        run: &[usize],
        rows: &mut [R],
    ) {
        match general {
            Some(prepared) => prepared.forward(theta, run, rows),
            None => self.dispatch(Forward { theta, run, rows }),
        }
    }

    fn backward_run<R: Real>(
        &self,
        general: Option<&Prepared<'_>>,
        theta: &[R],
        rows: &[R],
        run: &[(usize, usize)],
        grad: &mut [R],
    ) {
        match general {
            Some(prepared) => prepared.backward(theta, rows, run, grad),
            None => self.dispatch(Backward {
                theta,
                rows,
                run,
                grad,
            }),
        }
    }

    /// Runs a job with the widest registers that the processor has and that the state fills.
    fn dispatch<R: Real, J: Job<R>>(&self, job: J) {
        simd::run(Run {
            circuits: self,
            job,
            element: PhantomData,
        });
    }
}

/// Amplitudes, counted once for each pass over a state, that a task computes at least. They take a
/// few microseconds, several times what it costs to hand a task to another thread.
const TASK_AMPLITUDES: usize = 8192;

/// Targets taken at once where the weight's last axis runs over targets: a cache line of f32.
const COLUMNS: usize = 16;

/// Work on the circuits of a run, in whatever registers.
trait Job<R> {
    fn go<V: Vector<Elem = R>>(self, circuits: &Circuits);
}

struct Forward<'a, R> {
    theta: &'a [R],
    run: &'a [usize],
    rows: &'a mut [R],
}

struct Backward<'a, R> {
    theta: &'a [R],
    rows: &'a [R],
    run: &'a [(usize, usize)],
    grad: &'a mut [R],
}

impl<R: Real> Job<R> for Forward<'_, R> {
    #[inline(always)]
    fn go<V: Vector<Elem = R>>(self, circuits: &Circuits) {
        hqc_tf::forward::<V>(circuits, self.theta, self.run, self.rows);
    }
}

impl<R: Real> Job<R> for Backward<'_, R> {
    #[inline(always)]
    fn go<V: Vector<Elem = R>>(self, circuits: &Circuits) {
        hqc_tf::backward::<V>(circuits, self.theta, self.rows, self.run, self.grad);
    }
}

/// A job in the widest registers that the processor has and that the state of a circuit fills.
struct Run<'a, R, J> {
    circuits: &'a Circuits,
    job: J,
    element: PhantomData<R>,
}

impl<R: Real, J: Job<R>> Work for Run<'_, R, J> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self) {
        let Self { circuits, job, .. } = self;
        match circuits.qubits {
            3 => job.go::<S::Few<R, 2>>(circuits),
            4 => job.go::<S::Few<R, 4>>(circuits),
            qubits if hqc_tf::fits(qubits, R::Wide::<S>::LANES) => {
                job.go::<R::Wide<S>>(circuits);
            }
            _ => job.go::<S::Few<R, 8>>(circuits),
        }
    }
}
