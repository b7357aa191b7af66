//! The golden vectors, from independent implementations in float64: circuits and convolutions from two that agree to 1e-12,
//! gates from PennyLane (version and seed are in the file).

use crate::layer;
use hqcc_compiler::quantum::ansatz::{Ansatz, QubitPattern};
use hqcc_compiler::quantum::unitary::Complex;
use serde::Deserialize;
use serde_json::Value;

/// One case of `qpg_circuit.json`.
#[derive(Deserialize)]
pub struct CircuitCase {
    pub name: String,
    pub n_qubits: usize,
    pub blocks: usize,
    pub theta_y: Vec<Vec<f64>>,
    pub theta_x: Vec<Vec<f64>>,
    pub amp_re: Vec<f64>,
    pub amp_im: Vec<f64>,
    pub prob: Vec<f64>,
    pub v: Vec<f64>,
    pub rce: Gradients,
    pub sst: Gradients,
    pub lpp: Gradients,
}

/// Loss and gradients of one post-processing.
#[derive(Deserialize)]
pub struct Gradients {
    pub w: Option<Vec<f64>>,
    pub b: Option<f64>,
    pub y: Option<Vec<f64>>,
    pub loss: f64,
    pub grad_theta_y: Vec<Vec<f64>>,
    pub grad_theta_x: Vec<Vec<f64>>,
    pub grad_w: Option<Vec<f64>>,
    pub grad_b: Option<f64>,
}

impl CircuitCase {
    /// `[block, axis, qubit]`.
    pub fn theta(&self) -> Vec<f64> {
        joined(&self.theta_y, &self.theta_x)
    }
}

impl Gradients {
    /// `[block, axis, qubit]`.
    pub fn theta(&self) -> Vec<f64> {
        joined(&self.grad_theta_y, &self.grad_theta_x)
    }
}

fn joined(y: &[Vec<f64>], x: &[Vec<f64>]) -> Vec<f64> {
    y.iter()
        .zip(x)
        .flat_map(|(y, x)| [y.clone(), x.clone()].concat())
        .collect()
}

/// One case of `qpg_conv.json`.
#[derive(Deserialize)]
pub struct ConvCase {
    pub name: String,
    pub c_in: usize,
    pub c_out: usize,
    pub kh: usize,
    pub kw: usize,
    pub blocks: usize,
    pub n_qubits: usize,
    pub circuits: usize,
    pub target: String,
    pub theta: Vec<f64>,
    pub cotangent: Vec<f64>,
    pub base: Vec<f64>,
    pub rce: ConvResult,
    pub sst: ConvResult,
    pub lpp: ConvResult,
    pub lpp_per_circuit: Option<ConvResult>,
}

/// Weight, loss and gradients of one post-processing.
#[derive(Deserialize)]
pub struct ConvResult {
    pub w: Option<Vec<f64>>,
    pub b: Option<Value>,
    pub weight: Vec<f64>,
    pub adapted: Vec<f64>,
    pub loss: f64,
    pub grad_theta: Vec<f64>,
    pub grad_w: Option<Vec<f64>>,
    pub grad_b: Option<Value>,
}

/// `gates.json`: matrices and circuits of every gate.
#[derive(Deserialize)]
pub struct Gates {
    pub gates: Vec<GateCase>,
    pub circuits: Vec<GateCircuit>,
}

/// The matrix of a gate, row by row.
#[derive(Deserialize)]
pub struct GateCase {
    pub gate: String,
    pub angles: Vec<f64>,
    pub re: Vec<f64>,
    pub im: Vec<f64>,
}

impl GateCase {
    pub fn matrix(&self) -> Vec<Vec<Complex>> {
        let entries = self.re.iter().zip(&self.im);
        let entries: Vec<Complex> = entries.map(|(&re, &im)| Complex::new(re, im)).collect();
        let size = entries.len().isqrt();
        entries.chunks(size).map(<[_]>::to_vec).collect()
    }
}

/// `h(all) repeat blocks { ry(all) GATE(on) rx(all) } GATE(on) ry(all)`: state, and gradients of `sum v Re(psi)` and
/// `sum v |psi|^2`.
#[derive(Deserialize)]
pub struct GateCircuit {
    pub gate: String,
    pub on: QubitPattern,
    pub qubits: usize,
    pub blocks: usize,
    pub theta: Vec<f64>,
    pub v: Vec<f64>,
    pub re: Vec<f64>,
    pub im: Vec<f64>,
    pub grad_real: Vec<f64>,
    pub grad_probability: Vec<f64>,
}

impl GateCircuit {
    pub fn ansatz(&self) -> Ansatz {
        let own = || layer(&self.gate, self.on);
        let all = |name| layer(name, QubitPattern::All);
        Ansatz {
            before: vec![all("h")],
            block: vec![all("ry"), own(), all("rx")],
            after: vec![own(), all("ry")],
        }
    }
}

pub fn gates() -> Gates {
    serde_json::from_str(include_str!("../golden/gates.json")).expect("golden file")
}

/// All numbers in a value, in order.
pub fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        other => other.as_f64().into_iter().collect(),
    }
}

pub fn circuits() -> Vec<CircuitCase> {
    cases(include_str!("../golden/qpg_circuit.json"))
}

pub fn convs() -> Vec<ConvCase> {
    cases(include_str!("../golden/qpg_conv.json"))
}

fn cases<T: for<'a> Deserialize<'a>>(text: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct File<T> {
        cases: Vec<T>,
    }
    let file: File<T> = serde_json::from_str(text).expect("golden file");
    file.cases
}
