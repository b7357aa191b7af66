//! The gate table: one record per gate.
//!
//! A rotation is `exp(-i t G / 2)` with the generator `G`; no global phase is dropped, since the
//! readout `rce` looks at the real part of the state.

use std::f64::consts::FRAC_1_SQRT_2;

/// A complex number `re + i im`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

impl Complex {
    /// `re + i im`.
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }
}

impl std::ops::Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(
            self.re * other.re - self.im * other.im,
            self.re * other.im + self.im * other.re,
        )
    }
}

impl std::ops::Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

/// A 2x2 complex matrix, `m[row][column]`.
pub type Matrix = [[Complex; 2]; 2];

/// What undoes a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inverse {
    /// The gate itself.
    Itself,
    /// The same rotation by the negated angle.
    Negated,
}

/// One gate.
#[derive(Debug)]
pub struct Gate {
    /// The name a `circuit` block writes.
    pub name: &'static str,
    /// Its mark in a picture; for a gate of arity 2 the one on the target.
    pub symbol: &'static str,
    /// Its name in `stdgates.inc` of OpenQASM 3.
    pub qasm: &'static str,
    /// Qubits it acts on: 1, or 2 for a control and a target.
    pub arity: usize,
    /// The matrix on the target, at angle `t` (radians; fixed gates ignore it). A gate of arity 2
    /// applies it where the control is 1.
    pub matrix: fn(f64) -> Matrix,
    /// `G` of `exp(-i t G / 2)`; `None` for a gate without an angle.
    pub generator: Option<Matrix>,
    /// What undoes it.
    pub inverse: Inverse,
    /// One line for people.
    pub doc: &'static str,
}

const O: Complex = Complex::new(0.0, 0.0);
const ONE: Complex = Complex::new(1.0, 0.0);
const MINUS: Complex = Complex::new(-1.0, 0.0);
const X: Matrix = [[O, ONE], [ONE, O]];
const Y: Matrix = [[O, Complex::new(0.0, -1.0)], [Complex::new(0.0, 1.0), O]];
const Z: Matrix = [[ONE, O], [O, MINUS]];

/// Every gate, in the order they are listed to people.
pub const GATES: &[Gate] = &[
    Gate {
        name: "h",
        symbol: "H",
        qasm: "h",
        arity: 1,
        matrix: |_| {
            let r = Complex::new(FRAC_1_SQRT_2, 0.0);
            [[r, r], [r, Complex::new(-FRAC_1_SQRT_2, 0.0)]]
        },
        generator: None,
        inverse: Inverse::Itself,
        doc: "Hadamard: |0> to (|0> + |1>)/sqrt 2",
    },
    Gate {
        name: "x",
        symbol: "X",
        qasm: "x",
        arity: 1,
        matrix: |_| X,
        generator: None,
        inverse: Inverse::Itself,
        doc: "Pauli X: swaps |0> and |1>",
    },
    Gate {
        name: "y",
        symbol: "Y",
        qasm: "y",
        arity: 1,
        matrix: |_| Y,
        generator: None,
        inverse: Inverse::Itself,
        doc: "Pauli Y",
    },
    Gate {
        name: "z",
        symbol: "Z",
        qasm: "z",
        arity: 1,
        matrix: |_| Z,
        generator: None,
        inverse: Inverse::Itself,
        doc: "Pauli Z: negates |1>",
    },
    Gate {
        name: "rx",
        symbol: "RX",
        qasm: "rx",
        arity: 1,
        matrix: |t| {
            let (s, c) = (t / 2.0).sin_cos();
            let (c, s) = (Complex::new(c, 0.0), Complex::new(0.0, -s));
            [[c, s], [s, c]]
        },
        generator: Some(X),
        inverse: Inverse::Negated,
        doc: "rotation about X: exp(-i t X / 2)",
    },
    Gate {
        name: "ry",
        symbol: "RY",
        qasm: "ry",
        arity: 1,
        matrix: |t| {
            let (s, c) = (t / 2.0).sin_cos();
            let c = Complex::new(c, 0.0);
            [[c, Complex::new(-s, 0.0)], [Complex::new(s, 0.0), c]]
        },
        generator: Some(Y),
        inverse: Inverse::Negated,
        doc: "rotation about Y: exp(-i t Y / 2)",
    },
    Gate {
        name: "rz",
        symbol: "RZ",
        qasm: "rz",
        arity: 1,
        matrix: |t| {
            let (s, c) = (t / 2.0).sin_cos();
            [[Complex::new(c, -s), O], [O, Complex::new(c, s)]]
        },
        generator: Some(Z),
        inverse: Inverse::Negated,
        doc: "rotation about Z: exp(-i t Z / 2)",
    },
    Gate {
        name: "cnot",
        symbol: "⊕",
        qasm: "cx",
        arity: 2,
        matrix: |_| X,
        generator: None,
        inverse: Inverse::Itself,
        doc: "X on the second qubit where the first is 1",
    },
    Gate {
        name: "cz",
        symbol: "●",
        qasm: "cz",
        arity: 2,
        matrix: |_| Z,
        generator: None,
        inverse: Inverse::Itself,
        doc: "Z on the second qubit where the first is 1",
    },
];

/// The gate called `name`.
pub fn gate(name: &str) -> Option<&'static Gate> {
    GATES.iter().find(|gate| gate.name == name)
}
