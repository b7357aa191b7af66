//! Any circuit, gate by gate; its gradient by adjoint differentiation: gates are undone on the
//! state and on the gradient, nothing is stored on the way.

use super::{Circuits, Readout};
use crate::cpu::real::Real;
use hqcc_compiler::quantum::ansatz::Step;
use hqcc_compiler::quantum::gates::{Gate, Inverse, Matrix};

type Amplitude<R> = [R; 2];

/// Row k of `rows` from the angles of circuit `run[k]`.
pub(super) fn forward<R: Real>(circuits: &Circuits, theta: &[R], run: &[usize], rows: &mut [R]) {
    let steps = circuits.ansatz.steps(circuits.qubits, circuits.blocks);
    let angles = circuits.angles();
    let size = 1 << circuits.qubits;
    let (mut psi, mut spare) = (vec![[R::zero(); 2]; size], vec![[R::zero(); 2]; size]);
    let (scale, offset) = (R::of(circuits.scale), R::of(circuits.offset));
    for (&circuit, row) in run.iter().zip(rows.chunks_exact_mut(circuits.used)) {
        let theta = &theta[circuit * angles..][..angles];
        run_forward(circuits.qubits, &steps, theta, &mut psi, &mut spare);
        for (y, &[re, im]) in row.iter_mut().zip(&psi) {
            let read = match circuits.readout {
                Readout::Real => re,
                Readout::Probability => re * re + im * im,
            };
            *y = read * scale + offset;
        }
    }
}

/// The state of one circuit.
pub(super) fn state<R: Real>(circuits: &Circuits, theta: &[R]) -> Vec<[R; 2]> {
    let steps = circuits.ansatz.steps(circuits.qubits, circuits.blocks);
    let size = 1 << circuits.qubits;
    let (mut psi, mut spare) = (vec![[R::zero(); 2]; size], vec![[R::zero(); 2]; size]);
    run_forward(circuits.qubits, &steps, theta, &mut psi, &mut spare);
    psi
}

fn run_forward<R: Real>(
    qubits: usize,
    steps: &[Step],
    theta: &[R],
    psi: &mut Vec<Amplitude<R>>,
    spare: &mut Vec<Amplitude<R>>,
) {
    psi.fill([R::zero(); 2]);
    psi[0] = [R::one(), R::zero()];
    for step in steps {
        match step {
            Step::Permute { source } => {
                for (new, &from) in spare.iter_mut().zip(source) {
                    *new = psi[from as usize];
                }
                std::mem::swap(psi, spare);
            }
            Step::Single { gate, qubit, angle } => {
                apply(
                    psi,
                    pairs(qubits, *qubit, None),
                    cast(matrix(gate, *angle, theta)),
                );
            }
            Step::Controlled {
                gate,
                control,
                target,
            } => {
                let pairs = pairs(qubits, *target, Some(*control));
                apply(psi, pairs, cast((gate.matrix)(0.0)));
            }
        }
    }
}

/// The gradient of circuit `c`'s angles from row `r` of `rows`, for each `(c, r)` of `run`.
pub(super) fn backward<R: Real>(
    circuits: &Circuits,
    theta: &[R],
    rows: &[R],
    run: &[(usize, usize)],
    grad: &mut [R],
) {
    let qubits = circuits.qubits;
    let steps = circuits.ansatz.steps(qubits, circuits.blocks);
    let angles = circuits.angles();
    let size = 1 << qubits;
    let (mut psi, mut spare) = (vec![[R::zero(); 2]; size], vec![[R::zero(); 2]; size]);
    // The gradient in the bilinear sense: dL = Re(sum lambda_i dpsi_i).
    let mut lambda = vec![[R::zero(); 2]; size];
    let scale = R::of(circuits.scale);
    for &(circuit, row) in run {
        let theta = &theta[circuit * angles..][..angles];
        let grad = &mut grad[circuit * angles..][..angles];
        let row = &rows[row * circuits.used..][..circuits.used];
        run_forward(qubits, &steps, theta, &mut psi, &mut spare);
        lambda.fill([R::zero(); 2]);
        for ((l, &[re, im]), &g) in lambda.iter_mut().zip(&psi).zip(row) {
            let g = g * scale;
            *l = match circuits.readout {
                Readout::Real => [g, R::zero()],
                Readout::Probability => [(g + g) * re, -(g + g) * im],
            };
        }
        for step in steps.iter().rev() {
            match step {
                Step::Permute { source } => {
                    for state in [&mut psi, &mut lambda] {
                        for (new, &from) in state.iter().zip(source) {
                            spare[from as usize] = *new;
                        }
                        std::mem::swap(state, &mut spare);
                    }
                }
                Step::Single { gate, qubit, angle } => {
                    let all = || pairs(qubits, *qubit, None);
                    if let (Some(angle), Some(generator)) = (angle, &gate.generator) {
                        grad[*angle] = derivative(&psi, &lambda, all(), cast(*generator));
                    }
                    let matrix = matrix(gate, *angle, theta);
                    apply(&mut lambda, all(), cast(transposed(matrix)));
                    apply(&mut psi, all(), cast(inverse(gate, *angle, theta)));
                }
                Step::Controlled {
                    gate,
                    control,
                    target,
                } => {
                    let all = || pairs(qubits, *target, Some(*control));
                    let matrix = (gate.matrix)(0.0);
                    apply(&mut lambda, all(), cast(transposed(matrix)));
                    apply(&mut psi, all(), cast(matrix));
                }
            }
        }
    }
}

fn matrix<R: Real>(gate: &Gate, angle: Option<usize>, theta: &[R]) -> Matrix {
    (gate.matrix)(angle.map_or(0.0, |angle| theta[angle].f64()))
}

fn inverse<R: Real>(gate: &Gate, angle: Option<usize>, theta: &[R]) -> Matrix {
    let t = angle.map_or(0.0, |angle| theta[angle].f64());
    match gate.inverse {
        Inverse::Itself => (gate.matrix)(t),
        Inverse::Negated => (gate.matrix)(-t),
    }
}

fn transposed(m: Matrix) -> Matrix {
    [[m[0][0], m[1][0]], [m[0][1], m[1][1]]]
}

fn cast<R: Real>(m: Matrix) -> [[Amplitude<R>; 2]; 2] {
    m.map(|row| row.map(|c| [R::of(c.re), R::of(c.im)]))
}

/// The indices that differ in `qubit` alone, 0 first; with a control, those where it is 1.
fn pairs(
    qubits: usize,
    qubit: usize,
    control: Option<usize>,
) -> impl Iterator<Item = (usize, usize)> {
    let mask = 1 << (qubits - 1 - qubit);
    let control = control.map_or(0, |control| 1 << (qubits - 1 - control));
    (0..1usize << (qubits - 1))
        .map(move |k| ((k & !(mask - 1)) << 1) | (k & (mask - 1)))
        .filter(move |i| i & control == control)
        .map(move |i| (i, i | mask))
}

fn times<R: Real>(a: Amplitude<R>, b: Amplitude<R>) -> Amplitude<R> {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn plus<R: Real>(a: Amplitude<R>, b: Amplitude<R>) -> Amplitude<R> {
    [a[0] + b[0], a[1] + b[1]]
}

fn apply<R: Real>(
    state: &mut [Amplitude<R>],
    pairs: impl Iterator<Item = (usize, usize)>,
    m: [[Amplitude<R>; 2]; 2],
) {
    for (i, j) in pairs {
        let (a, b) = (state[i], state[j]);
        state[i] = plus(times(m[0][0], a), times(m[0][1], b));
        state[j] = plus(times(m[1][0], a), times(m[1][1], b));
    }
}

/// `Re(lambda^T (-i/2 G) psi)` behind the gate `exp(-i t G / 2)`.
fn derivative<R: Real>(
    psi: &[Amplitude<R>],
    lambda: &[Amplitude<R>],
    pairs: impl Iterator<Item = (usize, usize)>,
    g: [[Amplitude<R>; 2]; 2],
) -> R {
    let mut sum = R::zero();
    for (i, j) in pairs {
        let (a, b) = (psi[i], psi[j]);
        let to_i = plus(times(g[0][0], a), times(g[0][1], b));
        let to_j = plus(times(g[1][0], a), times(g[1][1], b));
        sum += times(lambda[i], to_i)[1] + times(lambda[j], to_j)[1];
    }
    sum * R::of(0.5)
}
