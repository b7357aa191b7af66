//! Circuits and generated weights: against golden vectors, by parameter shift, across paths.

mod every_gate;
mod executors;
mod gates;
mod golden;
mod kernels;
mod qasm;

use hqcc_compiler::quantum::ansatz::{Ansatz, GateLayer, QubitPattern};
use hqcc_compiler::quantum::gates::{GATES, gate};

/// A layer of the gate called `name`.
fn layer(name: &str, on: QubitPattern) -> GateLayer {
    GateLayer::new(gate(name).expect("a gate"), on).expect("a pattern that fits")
}

/// A circuit of every gate there is, with angles before, in and behind the repeated part.
fn all_gates() -> Ansatz {
    let single = GATES.iter().filter(|gate| gate.qubits == 1);
    let mut block: Vec<GateLayer> = single
        .map(|gate| layer(gate.name, QubitPattern::All))
        .collect();
    for (at, gate) in GATES.iter().filter(|gate| gate.qubits == 2).enumerate() {
        let on = [QubitPattern::Ring, QubitPattern::Chain];
        block.push(layer(gate.name, on[at % 2]));
        block.push(layer("rx", QubitPattern::All));
        block.push(layer(gate.name, on[(at + 1) % 2]));
    }
    Ansatz {
        before: vec![
            layer("h", QubitPattern::All),
            layer("rz", QubitPattern::All),
        ],
        block,
        after: vec![
            layer("crx", QubitPattern::Chain),
            layer("u3", QubitPattern::All),
        ],
    }
}
