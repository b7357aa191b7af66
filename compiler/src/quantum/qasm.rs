//! A circuit as OpenQASM 3.

use std::fmt::Write as _;

use super::gates::{GATES, Gate, Qasm};
use super::picture::Picture;

/// The circuit as an OpenQASM 3 program on `qubit[n] q`, gate by gate in time order, with the gates of
/// `stdgates.inc` and definitions of those that it lacks; title, notes and the order of wires and amplitudes stand in
/// comments. It measures nothing: what is read of the final state is its amplitudes.
pub fn to_qasm(picture: &Picture<'_>) -> String {
    let parts = picture.ansatz.parts(picture.qubits, picture.blocks);
    let mut text = String::from("OPENQASM 3.0;\ninclude \"stdgates.inc\";\n\n");
    for line in std::iter::once(picture.title).chain(picture.notes.iter().map(String::as_str)) {
        let _ = writeln!(text, "// {line}");
    }
    let top = picture.qubits - 1;
    text += &format!(
        "//\n\
         // Order of amplitudes: q[0] is the most significant bit of the index, q[{top}] the least. A simulator that counts\n\
         // from the other end, as Qiskit does, gives the same amplitudes with the bits of their index reversed.\n\
         // rx, ry, rz (t) are exp(-i t G / 2) without a dropped phase; angles are in radians.\n\n"
    );
    let placed = parts.iter().flat_map(|part| &part.gates);
    let used = |gate: &Gate| placed.clone().any(|placed| placed.gate == gate);
    let defined: String = GATES
        .iter()
        .filter_map(|gate| match gate.qasm {
            Qasm::Defined { name, definition } if used(gate) => {
                Some(format!("gate {name}{definition}\n"))
            }
            _ => None,
        })
        .collect();
    if !defined.is_empty() {
        text += "// Gates that stdgates.inc lacks, or has with another global phase.\n";
        text += &defined;
    }
    let _ = writeln!(text, "qubit[{}] q;", picture.qubits);
    for part in &parts {
        let _ = writeln!(text, "\n// {}", part.label);
        for placed in &part.gates {
            let (Qasm::Standard(name) | Qasm::Defined { name, .. }) = placed.gate.qasm;
            let angles = picture.angles_of(placed).map(|value| format!("{value:?}"));
            let angles: Vec<String> = angles.collect();
            let angles = match angles.as_slice() {
                [] => String::new(),
                angles => format!("({})", angles.join(", ")),
            };
            let qubits: Vec<String> = placed.qubits.iter().map(|q| format!("q[{q}]")).collect();
            let _ = writeln!(text, "{name}{angles} {};", qubits.join(", "));
        }
    }
    text
}
