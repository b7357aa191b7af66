//! Any circuit, gate by gate; its gradient by adjoint differentiation: gates are undone on the
//! state and on the gradient, nothing is stored on the way.

use super::circuits::{Circuits, Readout};
use crate::cpu::real::Real;
use hqcc_compiler::quantum::ansatz::{Placed, permutation};
use hqcc_compiler::quantum::gates::Gate;
use hqcc_compiler::quantum::unitary::{MAX_ANGLES, Unitary};

type Amplitude<R> = [R; 2];

/// Circuits made ready to run gate by gate.
pub(super) struct Prepared<'a> {
    circuits: &'a Circuits,
    forms: Vec<Form>,
    permutations: Vec<Permutation>,
    moves: Vec<Move>,
}

/// A run of gates that only move amplitudes, each with what it does to its own basis states.
type Moves = Vec<(Placed, Vec<usize>)>;

/// What a run does in all: `new[i] = old[source[i]]`.
struct Permutation {
    run: Moves,
    source: Vec<u32>,
}

/// What is done to the state at one time.
enum Move {
    /// A gate, by the number of its form.
    Gate(usize, Placed, Reach),
    /// A run of gates that only move amplitudes, by the number of their permutation.
    Permutation(usize),
}

/// A gate made ready.
struct Form {
    gate: &'static Gate,
    unitary: Unitary,
    derivatives: Vec<Unitary>,
    blocks: Vec<Vec<usize>>,
    permutation: Option<Vec<usize>>,
}

/// Indices of the amplitudes that a gate mixes.
struct Reach {
    /// Bits of the gate's qubits in an index, the lower one first; for a gate of one qubit the second one lies above all
    /// indices.
    bits: [usize; 2],
    /// Distance of each basis state of the gate from the first one.
    offsets: [usize; 4],
    /// How many groups of amplitudes there are.
    groups: usize,
}

impl Reach {
    fn new(placed: &Placed, qubits: usize) -> Self {
        let mut bits = [1 << qubits; 2];
        let mut offsets = [0; 4];
        let own = placed.bits(qubits);
        for (place, bit) in own.iter().rev().enumerate() {
            bits[place] = 1 << bit;
            for (state, offset) in offsets.iter_mut().enumerate() {
                *offset += (state >> place & 1) << bit;
            }
        }
        bits.sort_unstable();
        Self {
            bits,
            offsets,
            groups: 1 << (qubits - own.len()),
        }
    }

    /// The indices of the first basis state.
    fn bases(&self) -> impl Iterator<Item = usize> + use<> {
        let without = |n: usize, bit: usize| ((n & !(bit - 1)) << 1) | (n & (bit - 1));
        let [low, high] = self.bits;
        (0..self.groups).map(move |n| without(without(n, low), high))
    }

    fn offsets<const N: usize>(&self, block: &[usize]) -> [usize; N] {
        std::array::from_fn(|i| self.offsets[block[i]])
    }
}

impl<'a> Prepared<'a> {
    /// The gates of `circuits`; runs of those that only move amplitudes are joined.
    pub(super) fn new(circuits: &'a Circuits) -> Self {
        let mut prepared = Self {
            circuits,
            forms: Vec::new(),
            permutations: Vec::new(),
            moves: Vec::new(),
        };
        let parts = circuits.ansatz.parts(circuits.qubits, circuits.blocks);
        let mut run = Vec::new();
        for placed in parts.into_iter().flat_map(|part| part.gates) {
            let form = prepared.form(placed.gate);
            if let Some(source) = &prepared.forms[form].permutation {
                run.push((placed, source.clone()));
                continue;
            }
            prepared.close(&mut run);
            let reach = Reach::new(&placed, circuits.qubits);
            prepared.moves.push(Move::Gate(form, placed, reach));
        }
        prepared.close(&mut run);
        prepared
    }

    /// The number of a gate among `forms`.
    fn form(&mut self, gate: &'static Gate) -> usize {
        let known = self.forms.iter().position(|form| form.gate == gate);
        known.unwrap_or_else(|| {
            let unitary = (gate.unitary)();
            self.forms.push(Form {
                gate,
                blocks: unitary.blocks(),
                permutation: unitary.permutation(),
                derivatives: gate.derivatives(),
                unitary,
            });
            self.forms.len() - 1
        })
    }

    /// Ends a run of gates that only move amplitudes; equal runs share their permutation.
    fn close(&mut self, run: &mut Moves) {
        if run.is_empty() {
            return;
        }
        let run = std::mem::take(run);
        let known = self.permutations.iter().position(|known| known.run == run);
        let number = known.unwrap_or_else(|| {
            let source = permutation(self.circuits.qubits, &run);
            self.permutations.push(Permutation { run, source });
            self.permutations.len() - 1
        });
        self.moves.push(Move::Permutation(number));
    }

    /// Row k of `rows` from the angles of circuit `run[k]`.
    pub(super) fn forward<R: Real>(&self, theta: &[R], run: &[usize], rows: &mut [R]) {
        let circuits = self.circuits;
        let angles = circuits.angles();
        let mut state = Amplitudes::new(circuits.qubits);
        let (scale, offset) = (R::of(circuits.scale), R::of(circuits.offset));
        for (&circuit, row) in run.iter().zip(rows.chunks_exact_mut(circuits.used)) {
            self.run(&theta[circuit * angles..][..angles], &mut state);
            for (y, &[re, im]) in row.iter_mut().zip(&state.psi) {
                let read = match circuits.readout {
                    Readout::Real => re,
                    Readout::Probability => re * re + im * im,
                };
                *y = read * scale + offset;
            }
        }
    }

    /// The state of one circuit.
    pub(super) fn state<R: Real>(&self, theta: &[R]) -> Vec<[R; 2]> {
        let mut state = Amplitudes::new(self.circuits.qubits);
        self.run(theta, &mut state);
        state.psi
    }

    fn run<R: Real>(&self, theta: &[R], state: &mut Amplitudes<R>) {
        state.psi.fill([R::zero(); 2]);
        state.psi[0] = [R::one(), R::zero()];
        for next in &self.moves {
            match next {
                Move::Permutation(number) => {
                    for (new, &from) in state
                        .spare
                        .iter_mut()
                        .zip(&self.permutations[*number].source)
                    {
                        *new = state.psi[from as usize];
                    }
                    std::mem::swap(&mut state.psi, &mut state.spare);
                }
                Move::Gate(form, placed, reach) => {
                    let form = &self.forms[*form];
                    let sin_cos = sin_cos(placed, theta);
                    for block in &form.blocks {
                        let psi = &mut state.psi;
                        match block.len() {
                            1 => form.apply::<R, 1>(block, reach, &sin_cos, psi),
                            2 => form.apply::<R, 2>(block, reach, &sin_cos, psi),
                            3 => form.apply::<R, 3>(block, reach, &sin_cos, psi),
                            _ => form.apply::<R, 4>(block, reach, &sin_cos, psi),
                        }
                    }
                }
            }
        }
    }

    /// The gradient of circuit `c`'s angles from row `r` of `rows`, for each `(c, r)` of `run`.
    pub(super) fn backward<R: Real>(
        &self,
        theta: &[R],
        rows: &[R],
        run: &[(usize, usize)],
        grad: &mut [R],
    ) {
        let circuits = self.circuits;
        let angles = circuits.angles();
        let mut state = Amplitudes::new(circuits.qubits);
        // The gradient in the bilinear sense: dL = Re(sum lambda_i dpsi_i).
        let mut lambda = vec![[R::zero(); 2]; 1 << circuits.qubits];
        let scale = R::of(circuits.scale);
        for &(circuit, row) in run {
            let theta = &theta[circuit * angles..][..angles];
            let grad = &mut grad[circuit * angles..][..angles];
            let row = &rows[row * circuits.used..][..circuits.used];
            self.run(theta, &mut state);
            lambda.fill([R::zero(); 2]);
            for ((l, &[re, im]), &g) in lambda.iter_mut().zip(&state.psi).zip(row) {
                let g = g * scale;
                *l = match circuits.readout {
                    Readout::Real => [g, R::zero()],
                    Readout::Probability => [(g + g) * re, -(g + g) * im],
                };
            }
            self.undo(theta, &mut state, &mut lambda, grad);
        }
    }

    /// Takes the state back to the first one and the gradient with it.
    fn undo<R: Real>(
        &self,
        theta: &[R],
        state: &mut Amplitudes<R>,
        lambda: &mut Vec<Amplitude<R>>,
        grad: &mut [R],
    ) {
        for next in self.moves.iter().rev() {
            match next {
                Move::Permutation(number) => {
                    for vector in [&mut state.psi, &mut *lambda] {
                        for (new, &from) in vector.iter().zip(&self.permutations[*number].source) {
                            state.spare[from as usize] = *new;
                        }
                        std::mem::swap(vector, &mut state.spare);
                    }
                }
                Move::Gate(form, placed, reach) => {
                    let form = &self.forms[*form];
                    let sin_cos = sin_cos(placed, theta);
                    let mut slopes = [R::zero(); MAX_ANGLES];
                    for block in &form.blocks {
                        let back = (&mut state.psi[..], &mut lambda[..], &mut slopes);
                        match block.len() {
                            1 => form.undo::<R, 1>(block, reach, &sin_cos, back),
                            2 => form.undo::<R, 2>(block, reach, &sin_cos, back),
                            3 => form.undo::<R, 3>(block, reach, &sin_cos, back),
                            _ => form.undo::<R, 4>(block, reach, &sin_cos, back),
                        }
                    }
                    for (&angle, slope) in placed.angles.iter().zip(slopes) {
                        grad[angle] = slope;
                    }
                }
            }
        }
    }
}

/// A state and room for its successor.
struct Amplitudes<R> {
    psi: Vec<Amplitude<R>>,
    spare: Vec<Amplitude<R>>,
}

impl<R: Real> Amplitudes<R> {
    fn new(qubits: usize) -> Self {
        let zero = vec![[R::zero(); 2]; 1 << qubits];
        Self {
            psi: zero.clone(),
            spare: zero,
        }
    }
}

fn sin_cos<R: Real>(placed: &Placed, theta: &[R]) -> Vec<[f64; 2]> {
    let angles: Vec<f64> = placed.angles.iter().map(|&at| theta[at].f64()).collect();
    placed.gate.sin_cos(&angles)
}

type BlockMatrix<R, const N: usize> = [[Amplitude<R>; N]; N];

impl Form {
    /// The entries of `matrix` between the basis states of `block`.
    fn matrix<R: Real, const N: usize>(
        matrix: &Unitary,
        block: &[usize],
        sin_cos: &[[f64; 2]],
    ) -> BlockMatrix<R, N> {
        let entry = |row, column| {
            let entry = matrix.entry(block[row], block[column]).at(sin_cos);
            [R::of(entry.re), R::of(entry.im)]
        };
        std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column)))
    }

    fn apply<R: Real, const N: usize>(
        &self,
        block: &[usize],
        reach: &Reach,
        sin_cos: &[[f64; 2]],
        psi: &mut [Amplitude<R>],
    ) {
        let matrix: BlockMatrix<R, N> = Self::matrix(&self.unitary, block, sin_cos);
        let offsets: [usize; N] = reach.offsets(block);
        for base in reach.bases() {
            let old = offsets.map(|offset| psi[base + offset]);
            for (row, offset) in matrix.iter().zip(offsets) {
                psi[base + offset] = product(row, &old);
            }
        }
    }

    /// The adjoint on `psi`, the transpose on `lambda`, and on each slope `Re(lambda^T (dU) psi)` with the new `psi`.
    fn undo<R: Real, const N: usize>(
        &self,
        block: &[usize],
        reach: &Reach,
        sin_cos: &[[f64; 2]],
        (psi, lambda, slopes): (
            &mut [Amplitude<R>],
            &mut [Amplitude<R>],
            &mut [R; MAX_ANGLES],
        ),
    ) {
        let matrix: BlockMatrix<R, N> = Self::matrix(&self.unitary, block, sin_cos);
        let transposed: BlockMatrix<R, N> =
            std::array::from_fn(|row| std::array::from_fn(|column| matrix[column][row]));
        let adjoint = transposed.map(|row| row.map(|[re, im]| [re, -im]));
        let offsets: [usize; N] = reach.offsets(block);
        let derivatives = self.derivatives.iter();
        let derivatives: Vec<BlockMatrix<R, N>> = derivatives
            .map(|derivative| Self::matrix(derivative, block, sin_cos))
            .collect();
        for base in reach.bases() {
            let (after, l) = (
                offsets.map(|offset| psi[base + offset]),
                offsets.map(|offset| lambda[base + offset]),
            );
            let before = adjoint.map(|row| product(&row, &after));
            for (slope, derivative) in slopes.iter_mut().zip(&derivatives) {
                for (row, l) in derivative.iter().zip(l) {
                    *slope += times(l, product(row, &before))[0];
                }
            }
            for ((row, before), offset) in transposed.iter().zip(before).zip(offsets) {
                psi[base + offset] = before;
                lambda[base + offset] = product(row, &l);
            }
        }
    }
}

fn times<R: Real>(a: Amplitude<R>, b: Amplitude<R>) -> Amplitude<R> {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// A row of a matrix times a vector.
fn product<R: Real, const N: usize>(
    row: &[Amplitude<R>; N],
    vector: &[Amplitude<R>; N],
) -> Amplitude<R> {
    let mut sum = times(row[0], vector[0]);
    for (&a, &b) in row.iter().zip(vector).skip(1) {
        let [re, im] = times(a, b);
        (sum[0], sum[1]) = (sum[0] + re, sum[1] + im);
    }
    sum
}
