//! A circuit as OpenQASM 3.

use std::fmt::Write as _;

use super::picture::{Picture, sections};

/// The circuit as an OpenQASM 3 program on `qubit[n] q`, gate by gate in time order, with the gates of
/// `stdgates.inc`; title, notes and the order of wires and amplitudes stand in comments. It measures nothing: what is
/// read of the final state is its amplitudes.
pub fn to_qasm(picture: &Picture<'_>) -> String {
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
    let _ = writeln!(text, "qubit[{}] q;", picture.qubits);
    for section in sections(picture.ansatz, picture.qubits, picture.blocks) {
        let _ = writeln!(text, "\n// {}", section.label);
        for placed in &section.gates {
            let name = placed.gate.qasm;
            let angle = placed.angle.and_then(|at| picture.angles.get(at));
            let angle = angle.map_or_else(String::new, |value| format!("({value:?})"));
            let control = placed
                .control
                .map_or_else(String::new, |control| format!("q[{control}], "));
            let _ = writeln!(text, "{name}{angle} {control}q[{}];", placed.target);
        }
    }
    text
}
