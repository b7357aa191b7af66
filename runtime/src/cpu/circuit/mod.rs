//! All circuits of a layer: from angles to the readout, and from its gradient to the angles.
//!
//! The HQC-TF circuit on three or more qubits takes the fast way (`hqc_tf`); any other is run gate
//! by gate (`general`). Both read and write rows of amplitudes or a weight as it lies in memory, so
//! that a generated weight is written once.

mod circuits;
mod general;
mod hqc_tf;
mod lanes;
mod product;
mod rotate;
mod trig;

use super::call::{Call, WrongOp};
use super::real::Real;
pub use circuits::{Circuits, Order, Readout};
use general::Prepared;
use hqcc_compiler::ops;
use lanes::{Array, Lanes};
use rayon::prelude::*;
use std::any::TypeId;

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
        // Some 8192 amplitudes take a few microseconds, several times what it costs to hand a task to a thread.
        let least = 8192 / (passes << self.qubits);
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
        let whole = SharedSlice::new(y);
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

    /// The gradient of every angle from that of the readout; the states are computed again.
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

    /// Runs a job with the widest vectors that the CPU has and the state fills.
    fn dispatch<R: Real, J: Job<R>>(&self, job: J) {
        #[cfg(target_arch = "x86_64")]
        {
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
            if wide && TypeId::of::<R>() == TypeId::of::<f32>() && hqc_tf::fits(self.qubits, 16) {
                // SAFETY: the features were just found.
                return unsafe { with_avx512::<f32, lanes::F32x16, _>(self, job.cast()) };
            }
            if wide && TypeId::of::<R>() == TypeId::of::<f64>() && hqc_tf::fits(self.qubits, 8) {
                // SAFETY: the features were just found.
                return unsafe { with_avx512::<f64, lanes::F64x8, _>(self, job.cast()) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the features were just found.
                return unsafe { with_avx2(self, job) };
            }
        }
        const FMA: bool = cfg!(target_arch = "aarch64");
        with_arrays::<R, J, FMA>(self, job);
    }
}

/// Targets taken at once where the weight's last axis runs over targets: a cache line of f32.
const COLUMNS: usize = 16;

/// Work on the circuits of a run, in whatever vectors.
trait Job<R: Real>: Sized {
    /// The same job on `T`, which is `R`.
    type Cast<T: Real>: Job<T>;
    fn cast<T: Real>(self) -> Self::Cast<T>;
    fn go<V: Lanes<Element = R>>(self, circuits: &Circuits);
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

impl<'a, R: Real> Job<R> for Forward<'a, R> {
    type Cast<T: Real> = Forward<'a, T>;

    fn cast<T: Real>(self) -> Forward<'a, T> {
        Forward {
            theta: bytemuck::cast_slice(self.theta),
            run: self.run,
            rows: bytemuck::cast_slice_mut(self.rows),
        }
    }

    #[inline(always)]
    fn go<V: Lanes<Element = R>>(self, circuits: &Circuits) {
        hqc_tf::forward::<V>(circuits, self.theta, self.run, self.rows);
    }
}

impl<'a, R: Real> Job<R> for Backward<'a, R> {
    type Cast<T: Real> = Backward<'a, T>;

    fn cast<T: Real>(self) -> Backward<'a, T> {
        Backward {
            theta: bytemuck::cast_slice(self.theta),
            rows: bytemuck::cast_slice(self.rows),
            run: self.run,
            grad: bytemuck::cast_slice_mut(self.grad),
        }
    }

    #[inline(always)]
    fn go<V: Lanes<Element = R>>(self, circuits: &Circuits) {
        hqc_tf::backward::<V>(circuits, self.theta, self.rows, self.run, self.grad);
    }
}

/// # Safety
/// The CPU has these features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
unsafe fn with_avx512<R: Real, V: Lanes<Element = R>, J: Job<R>>(circuits: &Circuits, job: J) {
    job.go::<V>(circuits);
}

/// # Safety
/// The CPU has these features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn with_avx2<R: Real, J: Job<R>>(circuits: &Circuits, job: J) {
    with_arrays::<R, J, true>(circuits, job);
}

#[inline(always)]
fn with_arrays<R: Real, J: Job<R>, const FMA: bool>(circuits: &Circuits, job: J) {
    match circuits.qubits {
        3 => job.go::<Array<R, 2, FMA>>(circuits),
        4 => job.go::<Array<R, 4, FMA>>(circuits),
        _ => job.go::<Array<R, 8, FMA>>(circuits),
    }
}

/// A slice that several threads write to, each in places of its own.
struct SharedSlice<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: it only hands out parts, whose callers promise that they do not overlap.
unsafe impl<T: Send> Sync for SharedSlice<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for SharedSlice<T> {}

impl<T> SharedSlice<T> {
    fn new(slice: &mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
        }
    }

    /// # Safety
    /// No other live part overlaps this one.
    #[allow(clippy::mut_from_ref)] // the point of the type; see its safety section
    unsafe fn part(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at + len <= self.len);
        // SAFETY: in bounds, and exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }
}
