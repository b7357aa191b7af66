//! Cases of the ops that generate weights. Their values are held against golden vectors in `tests/quantum`.

use hqcc_compiler::graph::WeightKind;
use hqcc_compiler::ops::{
    Circuit, CircuitGrad, Lpp, LppGradParameters, LppGradProbability, Readout, WeightMap,
    WeightMapGrad,
};
use hqcc_compiler::quantum::ansatz::{Ansatz, GateLayer, QubitPattern};
use hqcc_compiler::quantum::gates::gate;
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

/// A weight and the circuits that generate it.
fn map(rng: &mut Rng) -> WeightMap {
    let [o, i] = [0; 2].map(|_| rng.pick(&[1, 2, 3, 5, 8, 12]));
    let [kh, kw] = rng.pick(&[[1, 1], [3, 3], [2, 1]]);
    let (to, kind) = match rng.int(0, 2) {
        0 => (TensorType::kernel([o, i, kh, kw]), WeightKind::Conv),
        1 => (
            TensorType::kernel([i, o, kh, kw]),
            WeightKind::ConvTranspose,
        ),
        _ => (TensorType::plain([o, i]), WeightKind::Linear),
    };
    WeightMap {
        to,
        kind,
        input_targets: i <= o,
    }
}

/// An ansatz: the default one, or another.
fn ansatz(rng: &mut Rng) -> Ansatz {
    if rng.coin() {
        return Ansatz::hqc_tf();
    }
    let layer =
        |name: &str, on| GateLayer::new(gate(name).expect("a gate"), on).expect("a pattern");
    let pairs = rng.pick(&["cnot", "crx", "rzz", "swap"]);
    let on = rng.pick(&[QubitPattern::Chain, QubitPattern::Ring]);
    Ansatz {
        before: vec![layer("h", QubitPattern::All)],
        block: vec![
            layer(rng.pick(&["ry", "u3"]), QubitPattern::All),
            layer("rz", QubitPattern::All),
            layer(pairs, on),
        ],
        after: vec![layer(rng.pick(&["rx", "t"]), QubitPattern::All)],
    }
}

fn circuits(rng: &mut Rng) -> (Circuit, Arg) {
    let map = map(rng);
    let [circuits, used] = map.circuits();
    let qubits = used.next_power_of_two().trailing_zeros().max(1) as usize;
    let (blocks, readout) = (
        rng.int(1, 3),
        rng.pick(&[Readout::Real, Readout::Probability]),
    );
    let mut op = Circuit::new(ansatz(rng), qubits, blocks, readout, used);
    if rng.coin() {
        (op.scale, op.offset) = (1.5, -0.75);
    }
    if rng.coin() {
        op.map = Some(map);
    }
    let mut shape = vec![circuits];
    shape.extend(op.ansatz.angle_shape(qubits, blocks));
    let theta = Arg::uniform(rng, TensorType::plain(shape), 0.0, 1.0);
    (op, theta)
}

pub fn circuit(rng: &mut Rng) -> Case {
    let (op, theta) = circuits(rng);
    Case::new(op, vec![theta], Tolerance::Accumulated).wrt(&[0])
}

pub fn circuit_grad(rng: &mut Rng) -> Case {
    let (circuit, theta) = circuits(rng);
    let rows = TensorType::plain([theta.ty.shape[0], circuit.used]);
    let dy = circuit.map.as_ref().map_or(rows, |map| map.to.clone());
    let args = vec![theta, Arg::unit(rng, dy)];
    Case::new(CircuitGrad { circuit }, args, Tolerance::Accumulated)
}

/// Qubits, sets of parameters, and the type of the probabilities.
fn probabilities(rng: &mut Rng) -> (usize, usize, TensorType) {
    let qubits = rng.int(1, 6);
    let (circuits, used) = (rng.int(1, 9), rng.int(1, 1 << qubits));
    let sets = rng.pick(&[1, circuits]);
    (qubits, sets, TensorType::plain([circuits, used]))
}

pub fn lpp(rng: &mut Rng) -> Case {
    let (qubits, sets, p) = probabilities(rng);
    let w = Arg::unit(rng, TensorType::plain([sets, qubits + 1]));
    let args = vec![
        Arg::uniform(rng, p, 0.0, 1.0),
        w,
        Arg::unit(rng, TensorType::plain([sets])),
    ];
    Case::new(Lpp { qubits }, args, Tolerance::Close).wrt(&[0, 1, 2])
}

pub fn lpp_grad_probability(rng: &mut Rng) -> Case {
    let (qubits, sets, p) = probabilities(rng);
    let args = vec![
        Arg::unit(rng, p),
        Arg::unit(rng, TensorType::plain([sets, qubits + 1])),
    ];
    Case::new(LppGradProbability { qubits }, args, Tolerance::Close)
}

pub fn lpp_grad_parameters(rng: &mut Rng) -> Case {
    let (qubits, sets, p) = probabilities(rng);
    let args = vec![Arg::uniform(rng, p.clone(), 0.0, 1.0), Arg::unit(rng, p)];
    Case::new(
        LppGradParameters { qubits, sets },
        args,
        Tolerance::Accumulated,
    )
}

pub fn weight_map(rng: &mut Rng) -> Case {
    let map = map(rng);
    let [circuits, used] = map.circuits();
    Case::new(
        map,
        vec![Arg::unit(rng, TensorType::plain([circuits, used]))],
        Tolerance::Exact,
    )
    .wrt(&[0])
}

pub fn weight_map_grad(rng: &mut Rng) -> Case {
    let map = map(rng);
    let ty = map.to.clone();
    Case::new(
        WeightMapGrad { map },
        vec![Arg::unit(rng, ty)],
        Tolerance::Exact,
    )
}
