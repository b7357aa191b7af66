//! Every gate of the table on every executor: golden states and gradients, the parameter-shift rule, central differences,
//! and both ways that the GPU has.

use crate::executors::{Run, Tolerance, Values, everywhere, weighted_sum};
use crate::kernels::{angles, backward, forward, near, near_gradient, of, one};
use crate::{golden, layer};
use hqcc::cpu::circuit::{Circuits, Order, Readout};
use hqcc::cpu::real::Real;
use hqcc_compiler::graph::{Graph, Init, Parameter, ParameterKind};
use hqcc_compiler::ops::Circuit;
use hqcc_compiler::passes::autodiff;
use hqcc_compiler::quantum::ansatz::{Ansatz, GateLayer, QubitPattern};
use hqcc_compiler::quantum::gates::GATES;
use hqcc_compiler::tensor_type::TensorType;
use std::f64::consts::{FRAC_PI_2, SQRT_2};

const READOUTS: [Readout; 2] = [Readout::Real, Readout::Probability];

fn circuits(case: &golden::GateCircuit, readout: Readout) -> Circuits {
    Circuits {
        ansatz: case.ansatz(),
        ..one(case.qubits, case.blocks, readout)
    }
}

/// What is read, and the gradient of `sum v y`.
fn wanted(case: &golden::GateCircuit, readout: Readout) -> (Vec<f64>, &[f64]) {
    let states = case.re.iter().zip(&case.im);
    match readout {
        Readout::Real => (case.re.clone(), &case.grad_real),
        Readout::Probability => (
            states.map(|(re, im)| re * re + im * im).collect(),
            &case.grad_probability,
        ),
    }
}

fn name(case: &golden::GateCircuit, readout: Readout) -> String {
    format!(
        "{} {:?} on {} qubits, {readout:?}",
        case.gate, case.on, case.qubits
    )
}

#[test]
fn the_golden_file_has_every_gate_on_every_pattern() {
    let cases = golden::gates().circuits;
    for gate in GATES {
        let patterns = if gate.qubits == 1 { 1 } else { 2 };
        let own = cases.iter().filter(|case| case.gate == gate.name);
        assert_eq!(own.count(), 3 * patterns, "{}", gate.name);
    }
}

fn check_kernels<R: Real>(amplitudes: f64, gradients: f64) {
    for case in golden::gates().circuits {
        for readout in READOUTS {
            let (what, circuits) = (name(&case, readout), circuits(&case, readout));
            let (theta, v) = (of::<R>(&case.theta), of::<R>(&case.v));
            let (y, gradient) = wanted(&case, readout);
            near(&what, &forward(&circuits, &theta), &y, amplitudes);
            near_gradient(&what, &backward(&circuits, &theta, &v), gradient, gradients);
        }
        let states = case.re.iter().zip(&case.im);
        let want: Vec<f64> = states.flat_map(|(&re, &im)| [re, im]).collect();
        let state = circuits(&case, Readout::Real).state(&of::<R>(&case.theta));
        near(&case.gate, &state.concat(), &want, amplitudes);
    }
}

#[test]
fn golden_gates_in_f64() {
    check_kernels::<f64>(1e-13, 1e-12);
}

#[test]
fn golden_gates_in_f32() {
    check_kernels::<f32>(1e-6, 5e-6);
}

/// A circuit of its own, with the loss `sum v y` and the gradient of its angles.
fn graph(circuits: &Circuits) -> Graph {
    let mut graph = Graph::default();
    let mut shape = vec![1];
    shape.extend(
        circuits
            .ansatz
            .angle_shape(circuits.qubits, circuits.blocks),
    );
    let theta = Parameter {
        ty: TensorType::plain(shape),
        kind: ParameterKind::Trained,
        init: Init::Constant { value: 0.0 },
        weight: None,
    };
    let theta = graph.add(theta, &[], "theta").expect("theta");
    let op = Circuit::new(
        circuits.ansatz.clone(),
        circuits.qubits,
        circuits.blocks,
        circuits.readout,
        circuits.used,
    );
    let y = graph.add(op, &[theta], "y").expect("y");
    let ty = graph.ty(y).clone();
    let loss = weighted_sum(&mut graph, y, &ty);
    graph.set_output("y", y);
    graph.set_output("loss", loss);
    let gradients = autodiff::differentiate(&mut graph, loss, &[theta]).expect("gradient");
    for (_, gradient) in gradients {
        graph.set_output("gradient", gradient);
    }
    graph
}

fn check_graph(
    run: Run<'_>,
    tolerance: Tolerance,
    what: &str,
    circuits: &Circuits,
    (theta, v): (&[f64], &[f64]),
    (y, gradient): (&[f64], &[f64]),
) {
    let given = Values::from([
        ("theta".to_owned(), theta.to_vec()),
        ("cotangent".to_owned(), v.to_vec()),
    ]);
    let got = run(graph(circuits), &given);
    near(what, &got["y"], y, tolerance.weights);
    near_gradient(what, &got["gradient"], gradient, tolerance.gradients);
}

/// Two qubits on a ring and three on a chain or side by side; one readout each, since every case costs a GPU two pipelines.
#[test]
fn golden_gates_on_every_executor() {
    let cases = golden::gates().circuits;
    let chosen =
        |case: &&golden::GateCircuit| (case.on == QubitPattern::Ring) == (case.qubits == 2);
    let chosen = cases.iter().filter(|case| case.qubits > 1).filter(chosen);
    everywhere(|run, tolerance| {
        for (at, case) in chosen.clone().enumerate() {
            let readout = READOUTS[at % 2];
            let (y, gradient) = wanted(case, readout);
            check_graph(
                run,
                tolerance,
                &name(case, readout),
                &circuits(case, readout),
                (&case.theta, &case.v),
                (&y, gradient),
            );
        }
    });
}

/// Every gate on more qubits than a GPU keeps in workgroup memory: the state lies in a buffer.
#[test]
fn every_executor_agrees_on_large_circuits_of_every_gate() {
    let layers: Vec<GateLayer> = GATES
        .iter()
        .enumerate()
        .map(|(at, gate)| match gate.qubits {
            1 => layer(gate.name, QubitPattern::All),
            _ => layer(gate.name, [QubitPattern::Ring, QubitPattern::Chain][at % 2]),
        })
        .collect();
    // A few gates at a time: software drivers take long for long kernels.
    everywhere(|run, tolerance| {
        for few in layers.chunks(4) {
            let all = |name| layer(name, QubitPattern::All);
            let mut block = vec![all("ry")];
            block.extend_from_slice(few);
            let circuits = Circuits {
                ansatz: Ansatz {
                    before: vec![all("h")],
                    block,
                    after: vec![all("rx")],
                },
                used: (1 << 11) - 1,
                ..one(11, 1, Readout::Real)
            };
            let theta = angles(circuits.angles());
            let v: Vec<f64> = angles(circuits.used).iter().map(|x| x / 3.0).collect();
            let y = forward(&circuits, &theta);
            let gradient = backward(&circuits, &theta, &v);
            let names: Vec<_> = few.iter().map(|layer| layer.gate().name).collect();
            check_graph(
                run,
                tolerance,
                &names.join(", "),
                &circuits,
                (&theta, &v),
                (&y, &gradient),
            );
        }
    });
}

/// `df/dt` from values at `t +- pi/2` and `t +- 3 pi/2`, exact for gates whose probabilities have the frequencies 1/2 and 1.
/// Source: PennyLane's four-term rule of controlled rotations.
fn shifted(value: impl Fn(f64) -> f64) -> f64 {
    let difference = |by: f64| value(by) - value(-by);
    let [near, far] = [SQRT_2 + 1.0, SQRT_2 - 1.0].map(|c| c / (4.0 * SQRT_2));
    near * difference(FRAC_PI_2) - far * difference(3.0 * FRAC_PI_2)
}

fn central(value: impl Fn(f64) -> f64) -> f64 {
    (value(1e-5) - value(-1e-5)) / 2e-5
}

fn check_gradient(readout: Readout, slope: fn(&dyn Fn(f64) -> f64) -> f64, tolerance: f64) {
    for case in golden::gates().circuits {
        let circuits = Circuits {
            count: 1,
            order: Order::Circuits,
            ..circuits(&case, readout)
        };
        let value = |at: usize, by: f64| -> f64 {
            let mut theta = case.theta.clone();
            theta[at] += by;
            let y = forward(&circuits, &theta);
            y.iter().zip(&case.v).map(|(y, v)| y * v).sum()
        };
        let want: Vec<f64> = (0..case.theta.len())
            .map(|at| slope(&|by| value(at, by)))
            .collect();
        let got = backward(&circuits, &case.theta, &case.v);
        near_gradient(&name(&case, readout), &got, &want, tolerance);
    }
}

#[test]
fn gradients_of_every_gate_follow_the_parameter_shift_rule() {
    check_gradient(Readout::Probability, |value| shifted(value), 1e-12);
}

#[test]
fn gradients_of_every_gate_match_central_differences() {
    for readout in READOUTS {
        check_gradient(readout, |value| central(value), 1e-8);
    }
}
