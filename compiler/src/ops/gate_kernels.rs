//! Layers of gates as the gate-by-gate kernels see them: matrices and their derivatives as WGSL, straight from the gate
//! table.

use serde_json::{Value, json};

use crate::quantum::ansatz::{Ansatz, GateLayer};
use crate::quantum::unitary::{Complex, Polynomial, Term, Unitary};

/// The layers of a circuit, and which of them come before, in and after the repeated part.
pub(super) fn layers(ansatz: &Ansatz, qubits: usize, blocks: usize) -> Value {
    let mut layers: Vec<Value> = Vec::new();
    let mut add = |part: &[GateLayer], first: usize| -> (Vec<usize>, usize) {
        let (number, mut next) = (layers.len(), first);
        for layer in part {
            if layer.count(qubits) > 0 {
                layers.push(described(layer, qubits, next));
            }
            next += layer.angles(qubits);
        }
        ((number..layers.len()).collect(), next - first)
    };
    let (before, first) = add(&ansatz.before, 0);
    let (block, stride) = add(&ansatz.block, first);
    let (after, _) = add(&ansatz.after, first + blocks * stride);
    json!({ "layers": layers, "before": before, "block": block, "after": after, "stride": stride })
}

/// A layer whose angles begin at `first`. A gate takes amplitudes `x` to `p`, its adjoint `p` to `x`; `l` is the gradient of
/// `p`. `m` is the matrix, `a` its adjoint, `t` its transpose, `dk_` its derivative by angle k. The numbers behind a name are
/// basis states of the gate.
fn described(layer: &GateLayer, qubits: usize, first: usize) -> Value {
    let gate = layer.gate();
    let unitary = (gate.unitary)();
    let derivatives = gate.derivatives();
    let blocks: Vec<Value> = unitary
        .blocks()
        .iter()
        .map(|block| {
            let products = |name: &str, matrix: &Unitary, vector: &str| -> Vec<String> {
                let row = |&row| product(name, matrix, row, block, vector);
                block.iter().map(row).collect()
            };
            let slopes: Vec<Vec<String>> = derivatives
                .iter()
                .enumerate()
                .map(|(k, derivative)| products(&format!("d{k}_"), derivative, "x"))
                .collect();
            json!({
                "states": block,
                "forward": products("m", &unitary, "x"),
                "undo": products("a", &unitary.adjoint(), "p"),
                "gradient": products("t", &unitary.transposed(), "l"),
                "slopes": slopes,
            })
        })
        .collect();
    let mut undo = entries("a", &unitary.adjoint());
    undo.extend(entries("t", &unitary.transposed()));
    for (k, derivative) in derivatives.iter().enumerate() {
        undo.extend(entries(&format!("d{k}_"), derivative));
    }
    json!({
        "gate": gate.name, "pairs": gate.qubits == 2, "count": layer.count(qubits), "first": first,
        "rates": gate.rates, "forward": entries("m", &unitary), "undo": undo, "blocks": blocks,
    })
}

/// Name and value of each entry that is neither 0 nor 1.
fn entries(name: &str, matrix: &Unitary) -> Vec<[String; 2]> {
    let places = (0..matrix.size()).flat_map(|i| (0..matrix.size()).map(move |j| (i, j)));
    let entry = |(i, j)| {
        let entry = matrix.entry(i, j);
        let plain = [Complex::ZERO, Complex::ONE]
            .map(Some)
            .contains(&entry.constant());
        (!plain).then(|| [format!("{name}{i}{j}"), complex(entry)])
    };
    places.filter_map(entry).collect()
}

/// A row of a matrix times a vector, whose entries outside `block` do not count.
fn product(name: &str, matrix: &Unitary, row: usize, block: &[usize], vector: &str) -> String {
    let summand = |&column: &usize| match matrix.entry(row, column).constant() {
        Some(Complex::ZERO) => None,
        Some(Complex::ONE) => Some(format!("{vector}{column}")),
        _ => Some(format!("times({name}{row}{column}, {vector}{column})")),
    };
    let summands: Vec<String> = block.iter().filter_map(summand).collect();
    match summands.as_slice() {
        [] => "vec2<f32>(0.0, 0.0)".to_owned(),
        summands => summands.join(" + "),
    }
}

fn complex(entry: &Polynomial) -> String {
    format!(
        "vec2<f32>({}, {})",
        real(entry, |c| c.re),
        real(entry, |c| c.im)
    )
}

/// Real or imaginary part; `csk` holds sine and cosine of angle k.
fn real(entry: &Polynomial, part: impl Fn(Complex) -> f64) -> String {
    let terms = entry
        .terms()
        .iter()
        .filter(|term| part(term.coefficient) != 0.0);
    let term = |term: &Term| {
        let mut factors = vec![format!("{:?}", part(term.coefficient))];
        for (k, (&cos, &sin)) in term.cos.iter().zip(&term.sin).enumerate() {
            factors.extend((0..cos).map(|_| format!("cs{k}.y")));
            factors.extend((0..sin).map(|_| format!("cs{k}.x")));
        }
        factors.join(" * ")
    };
    let terms: Vec<String> = terms.map(term).collect();
    match terms.as_slice() {
        [] => "0.0".to_owned(),
        terms => terms.join(" + "),
    }
}
