//! The gate table: one record per gate. A gate is a unitary with angles; its inverse is its adjoint.
//!
//! The first qubit of a gate is the most significant bit of its basis states, and the control of a controlled gate. A
//! rotation is `exp(-i t G / 2)` with the generator `G`; no global phase is dropped, since the readout `rce` looks at the
//! real part of the state.

use std::f64::consts::FRAC_1_SQRT_2;
use std::hash::{Hash, Hasher};

use super::unitary::{Complex, Polynomial, Unitary};

/// One gate.
#[derive(Debug)]
pub struct Gate {
    /// The name in a `circuit` block.
    pub name: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// How many qubits it acts on: 1 or 2.
    pub qubits: usize,
    /// One per angle: what multiplies the angle (radians) under sine and cosine. 1/2 for rotations, 1 for phases.
    pub rates: &'static [f64],
    /// The matrix.
    pub unitary: fn() -> Unitary,
    /// How a picture shows it on each of its qubits. Angles are written into the last box.
    pub marks: &'static [Mark],
    /// How OpenQASM 3 writes it.
    pub qasm: Qasm,
}

/// What a picture shows on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A filled circle: a control.
    Dot,
    /// A circle with a plus: the target of a `cnot`.
    Plus,
    /// A cross: one end of a `swap`.
    Cross,
    /// A box with a text.
    Boxed(&'static str),
}

/// A gate in OpenQASM 3; both forms give the same matrix as the record, global phase included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qasm {
    /// The name of a gate of `stdgates.inc`.
    Standard(&'static str),
    /// A gate that the program defines, because `stdgates.inc` has none that is equal.
    Defined {
        /// Its name.
        name: &'static str,
        /// Parameters, qubits and body, in gates of `stdgates.inc`.
        definition: &'static str,
    },
}

impl Gate {
    /// How many angles it has.
    pub const fn angles(&self) -> usize {
        self.rates.len()
    }

    /// The derivative of the unitary by each angle.
    pub fn derivatives(&self) -> Vec<Unitary> {
        let unitary = (self.unitary)();
        let rates = self.rates.iter().enumerate();
        rates
            .map(|(k, &rate)| unitary.derivative(k, rate))
            .collect()
    }

    /// Sine and cosine of each angle times its rate, as [`Polynomial::at`] takes them.
    pub fn sin_cos(&self, angles: &[f64]) -> Vec<[f64; 2]> {
        let turned = angles.iter().zip(self.rates);
        turned
            .map(|(angle, rate)| (angle * rate).sin_cos().into())
            .collect()
    }
}

/// Names are unique in the table.
impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Gate {}

impl Hash for Gate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

const O: Complex = Complex::ZERO;
const ONE: Complex = Complex::ONE;
const I: Complex = Complex::I;
const MINUS: Complex = Complex::new(-1.0, 0.0);
const MINUS_I: Complex = Complex::new(0.0, -1.0);
const ROOT: Complex = Complex::new(FRAC_1_SQRT_2, 0.0);
const PAULI_X: [[Complex; 2]; 2] = [[O, ONE], [ONE, O]];
const PAULI_Z: [[Complex; 2]; 2] = [[ONE, O], [O, MINUS]];
/// `exp(i pi / 4)`.
const EIGHTH: Complex = Complex::new(FRAC_1_SQRT_2, FRAC_1_SQRT_2);
const HALF: f64 = 0.5;

fn cos() -> Polynomial {
    Polynomial::cos(0)
}

fn sin() -> Polynomial {
    Polynomial::sin(0)
}

/// `exp(-i t / 2)` where the rate is 1/2.
fn back() -> Polynomial {
    Polynomial::phase(0).conjugate()
}

fn zero() -> Polynomial {
    Polynomial::default()
}

fn rx() -> Unitary {
    let s = || sin() * MINUS_I;
    Unitary::from([[cos(), s()], [s(), cos()]])
}

fn ry() -> Unitary {
    Unitary::from([[cos(), -sin()], [sin(), cos()]])
}

fn rz() -> Unitary {
    Unitary::from([[back(), zero()], [zero(), Polynomial::phase(0)]])
}

/// Every gate, in the order in which people read them.
pub static GATES: &[&Gate] = &[
    &H, &X, &Y, &Z, &S, &SDG, &T, &TDG, &RX, &RY, &RZ, &U3, &CNOT, &CZ, &SWAP, &CRX, &CRY, &CRZ,
    &RXX, &RZZ,
];

pub(super) static H: Gate = Gate {
    name: "h",
    doc: "Hadamard: |0> to (|0> + |1>)/sqrt 2",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[ROOT, ROOT], [ROOT, Complex::new(-FRAC_1_SQRT_2, 0.0)]]),
    marks: &[Mark::Boxed("H")],
    qasm: Qasm::Standard("h"),
};

static X: Gate = Gate {
    name: "x",
    doc: "Pauli X: swaps |0> and |1>",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from(PAULI_X),
    marks: &[Mark::Boxed("X")],
    qasm: Qasm::Standard("x"),
};

static Y: Gate = Gate {
    name: "y",
    doc: "Pauli Y: |0> to i|1>, |1> to -i|0>",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[O, MINUS_I], [I, O]]),
    marks: &[Mark::Boxed("Y")],
    qasm: Qasm::Standard("y"),
};

static Z: Gate = Gate {
    name: "z",
    doc: "Pauli Z: negates |1>",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from(PAULI_Z),
    marks: &[Mark::Boxed("Z")],
    qasm: Qasm::Standard("z"),
};

static S: Gate = Gate {
    name: "s",
    doc: "a quarter turn of the phase of |1>: diag(1, i), the root of z",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[ONE, O], [O, I]]),
    marks: &[Mark::Boxed("S")],
    qasm: Qasm::Standard("s"),
};

static SDG: Gate = Gate {
    name: "sdg",
    doc: "the inverse of s: diag(1, -i)",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[ONE, O], [O, MINUS_I]]),
    marks: &[Mark::Boxed("S†")],
    qasm: Qasm::Standard("sdg"),
};

static T: Gate = Gate {
    name: "t",
    doc: "an eighth turn of the phase of |1>: diag(1, exp(i pi/4)), the root of s",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[ONE, O], [O, EIGHTH]]),
    marks: &[Mark::Boxed("T")],
    qasm: Qasm::Standard("t"),
};

static TDG: Gate = Gate {
    name: "tdg",
    doc: "the inverse of t: diag(1, exp(-i pi/4))",
    qubits: 1,
    rates: &[],
    unitary: || Unitary::from([[ONE, O], [O, EIGHTH.conjugate()]]),
    marks: &[Mark::Boxed("T†")],
    qasm: Qasm::Standard("tdg"),
};

pub(super) static RX: Gate = Gate {
    name: "rx",
    doc: "rotation about X: exp(-i t X / 2)",
    qubits: 1,
    rates: &[HALF],
    unitary: rx,
    marks: &[Mark::Boxed("RX")],
    qasm: Qasm::Standard("rx"),
};

pub(super) static RY: Gate = Gate {
    name: "ry",
    doc: "rotation about Y: exp(-i t Y / 2)",
    qubits: 1,
    rates: &[HALF],
    unitary: ry,
    marks: &[Mark::Boxed("RY")],
    qasm: Qasm::Standard("ry"),
};

static RZ: Gate = Gate {
    name: "rz",
    doc: "rotation about Z: exp(-i t Z / 2)",
    qubits: 1,
    rates: &[HALF],
    unitary: rz,
    marks: &[Mark::Boxed("RZ")],
    qasm: Qasm::Standard("rz"),
};

/// Source: the convention of Qiskit's `UGate` and PennyLane's `U3`. `u3` of `stdgates.inc` is
/// `exp(-i (phi + lambda) / 2)` times this one, so programs define their own.
static U3: Gate = Gate {
    name: "u3",
    doc: "any unitary of one qubit but for a phase: [[cos t/2, -exp(i l) sin t/2], [exp(i p) sin t/2, exp(i(p + l)) cos t/2]]",
    qubits: 1,
    rates: &[HALF, 1.0, 1.0],
    unitary: || {
        let (phi, lambda) = (|| Polynomial::phase(1), || Polynomial::phase(2));
        Unitary::from([
            [cos(), -(sin() * lambda())],
            [sin() * phi(), cos() * phi() * lambda()],
        ])
    },
    marks: &[Mark::Boxed("U3")],
    qasm: Qasm::Defined {
        name: "hqcc_u3",
        definition: "(theta, phi, lambda) a { p(lambda) a; ry(theta) a; p(phi) a; }",
    },
};

pub(super) static CNOT: Gate = Gate {
    name: "cnot",
    doc: "X on the second qubit where the first is 1",
    qubits: 2,
    rates: &[],
    unitary: || Unitary::controlled(PAULI_X),
    marks: &[Mark::Dot, Mark::Plus],
    qasm: Qasm::Standard("cx"),
};

static CZ: Gate = Gate {
    name: "cz",
    doc: "Z on the second qubit where the first is 1; both qubits play the same part",
    qubits: 2,
    rates: &[],
    unitary: || Unitary::controlled(PAULI_Z),
    marks: &[Mark::Dot, Mark::Dot],
    qasm: Qasm::Standard("cz"),
};

static SWAP: Gate = Gate {
    name: "swap",
    doc: "exchanges two qubits",
    qubits: 2,
    rates: &[],
    unitary: || {
        Unitary::from([
            [ONE, O, O, O],
            [O, O, ONE, O],
            [O, ONE, O, O],
            [O, O, O, ONE],
        ])
    },
    marks: &[Mark::Cross, Mark::Cross],
    qasm: Qasm::Standard("swap"),
};

static CRX: Gate = Gate {
    name: "crx",
    doc: "rotation about X of the second qubit where the first is 1",
    qubits: 2,
    rates: &[HALF],
    unitary: || Unitary::controlled(rx()),
    marks: &[Mark::Dot, Mark::Boxed("RX")],
    qasm: Qasm::Standard("crx"),
};

static CRY: Gate = Gate {
    name: "cry",
    doc: "rotation about Y of the second qubit where the first is 1",
    qubits: 2,
    rates: &[HALF],
    unitary: || Unitary::controlled(ry()),
    marks: &[Mark::Dot, Mark::Boxed("RY")],
    qasm: Qasm::Standard("cry"),
};

static CRZ: Gate = Gate {
    name: "crz",
    doc: "rotation about Z of the second qubit where the first is 1",
    qubits: 2,
    rates: &[HALF],
    unitary: || Unitary::controlled(rz()),
    marks: &[Mark::Dot, Mark::Boxed("RZ")],
    qasm: Qasm::Standard("crz"),
};

static RXX: Gate = Gate {
    name: "rxx",
    doc: "exp(-i t X X / 2) on two qubits, which play the same part",
    qubits: 2,
    rates: &[HALF],
    unitary: || {
        Unitary::made(4, |row, column| match row + column {
            _ if row == column => cos(),
            3 => sin() * MINUS_I,
            _ => zero(),
        })
    },
    marks: &[Mark::Boxed("XX"), Mark::Boxed("XX")],
    qasm: Qasm::Defined {
        name: "rxx",
        definition: "(theta) a, b { h a; h b; cx a, b; rz(theta) b; cx a, b; h a; h b; }",
    },
};

static RZZ: Gate = Gate {
    name: "rzz",
    doc: "exp(-i t Z Z / 2) on two qubits, which play the same part",
    qubits: 2,
    rates: &[HALF],
    unitary: || {
        Unitary::made(4, |row, column| match (row, column) {
            (0, 0) | (3, 3) => back(),
            (1, 1) | (2, 2) => Polynomial::phase(0),
            _ => zero(),
        })
    },
    marks: &[Mark::Boxed("ZZ"), Mark::Boxed("ZZ")],
    qasm: Qasm::Defined {
        name: "rzz",
        definition: "(theta) a, b { cx a, b; rz(theta) b; cx a, b; }",
    },
};

/// The gate called `name`.
pub fn gate(name: &str) -> Option<&'static Gate> {
    GATES.iter().copied().find(|gate| gate.name == name)
}
