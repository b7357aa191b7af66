//! OpenQASM 3 programs read back: a strict reader of the part of the language that is written, and dense matrices of its
//! own, against the golden states and the executor's.

use crate::golden;
use hqcc::cpu::circuit::{Circuits, Order, Readout};
use hqcc_compiler::quantum::ansatz::{Ansatz, Layer, Pattern};
use hqcc_compiler::quantum::gates::GATES;
use hqcc_compiler::quantum::picture::{Picture, to_svg, to_text};
use hqcc_compiler::quantum::qasm::to_qasm;

/// A complex number.
type C = (f64, f64);

fn mul(a: C, b: C) -> C {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn add(a: C, b: C) -> C {
    (a.0 + b.0, a.1 + b.1)
}

/// A call of a gate.
#[derive(Debug)]
struct Call {
    gate: String,
    angle: Option<f64>,
    qubits: Vec<usize>,
}

/// Reads what [`to_qasm`] may write and nothing else: the two head lines, comments, one register, gate calls.
fn read(text: &str) -> (usize, Vec<Call>) {
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//"));
    assert_eq!(lines.next(), Some("OPENQASM 3.0;"));
    assert_eq!(lines.next(), Some("include \"stdgates.inc\";"));
    let register = lines.next().and_then(|line| line.strip_prefix("qubit["));
    let size = register
        .and_then(|line| line.strip_suffix("] q;"))
        .expect("a register");
    let size: usize = size.parse().expect("its size");
    let call = |line: &str| {
        let line = line
            .strip_suffix(';')
            .unwrap_or_else(|| panic!("no semicolon: {line}"));
        let (head, operands) = line.split_once(' ').expect("operands");
        let (gate, angle) = match head.split_once('(') {
            None => (head, None),
            Some((gate, rest)) => {
                let angle = rest.strip_suffix(')').expect("a closing bracket");
                (gate, Some(angle.parse().expect("an angle")))
            }
        };
        let qubit = |operand: &str| -> usize {
            let number = operand
                .strip_prefix("q[")
                .and_then(|rest| rest.strip_suffix(']'));
            let qubit = number.and_then(|n| n.parse().ok()).expect("a qubit");
            assert!(qubit < size, "{line}");
            qubit
        };
        Call {
            gate: gate.to_owned(),
            angle,
            qubits: operands.split(", ").map(qubit).collect(),
        }
    };
    (size, lines.map(call).collect())
}

/// The 2x2 matrix of a gate of `stdgates.inc` on its last qubit, as the OpenQASM specification defines it.
fn matrix(gate: &str, angle: Option<f64>) -> [[C; 2]; 2] {
    let (o, l) = ((0.0, 0.0), (1.0, 0.0));
    let r = 0.5f64.sqrt();
    let half = angle.unwrap_or(0.0) / 2.0;
    let (c, s) = (half.cos(), half.sin());
    let rotates = matches!(gate, "rx" | "ry" | "rz");
    assert_eq!(rotates, angle.is_some(), "{gate}");
    match gate {
        "h" => [[(r, 0.0), (r, 0.0)], [(r, 0.0), (-r, 0.0)]],
        "x" | "cx" => [[o, l], [l, o]],
        "y" => [[o, (0.0, -1.0)], [(0.0, 1.0), o]],
        "z" | "cz" => [[l, o], [o, (-1.0, 0.0)]],
        "rx" => [[(c, 0.0), (0.0, -s)], [(0.0, -s), (c, 0.0)]],
        "ry" => [[(c, 0.0), (-s, 0.0)], [(s, 0.0), (c, 0.0)]],
        "rz" => [[(c, -s), o], [o, (c, s)]],
        other => panic!("no gate of stdgates.inc that hqcc writes: {other}"),
    }
}

/// The final state by dense matrices of the whole register, q[0] the most significant bit.
fn state(size: usize, calls: &[Call]) -> Vec<C> {
    let dimension = 1usize << size;
    let bit = |index: usize, qubit: usize| index >> (size - 1 - qubit) & 1;
    let mut state = vec![(0.0, 0.0); dimension];
    state[0] = (1.0, 0.0);
    for call in calls {
        let m = matrix(&call.gate, call.angle);
        let controlled = call.gate.starts_with('c');
        assert_eq!(call.qubits.len(), 1 + usize::from(controlled), "{call:?}");
        let target = call.qubits[call.qubits.len() - 1];
        // Row `i` of the register's matrix: one entry for each column that differs in the target alone.
        state = (0..dimension)
            .map(|i| {
                if controlled && bit(i, call.qubits[0]) == 0 {
                    return state[i];
                }
                let mask = 1 << (size - 1 - target);
                let row = m[bit(i, target)];
                add(mul(row[0], state[i & !mask]), mul(row[1], state[i | mask]))
            })
            .collect();
    }
    state
}

fn picture<'a>(ansatz: &'a Ansatz, qubits: usize, blocks: usize, angles: &'a [f64]) -> Picture<'a> {
    Picture {
        title: "a circuit",
        notes: &[],
        ansatz,
        qubits,
        blocks,
        angles,
    }
}

fn gap(a: &[C], b: &[C]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1))
        .fold(0.0, f64::max)
}

#[test]
fn the_program_gives_the_golden_states() {
    for case in golden::circuits() {
        let (ansatz, angles) = (Ansatz::hqc_tf(), case.theta());
        let text = to_qasm(&picture(&ansatz, case.n_qubits, case.blocks, &angles));
        let (size, calls) = read(&text);
        let want: Vec<C> = case
            .amp_re
            .iter()
            .copied()
            .zip(case.amp_im.iter().copied())
            .collect();
        let gap = gap(&state(size, &calls), &want);
        assert!(gap < 1e-12, "{}: {gap:.1e}\n{text}", case.name);
    }
}

/// A circuit of every gate there is, with angles before, in and behind the repeated part.
fn all_gates() -> Ansatz {
    let layer = |gate: &str, on| Layer {
        gate: gate.to_owned(),
        on,
    };
    let single = GATES.iter().filter(|gate| gate.arity == 1);
    let mut block: Vec<Layer> = single.map(|gate| layer(gate.name, Pattern::All)).collect();
    for (at, gate) in GATES.iter().filter(|gate| gate.arity == 2).enumerate() {
        let on = [Pattern::Ring, Pattern::Chain];
        block.push(layer(gate.name, on[at % 2]));
        block.push(layer("rx", Pattern::All));
        block.push(layer(gate.name, on[(at + 1) % 2]));
    }
    Ansatz {
        before: vec![layer("h", Pattern::All), layer("rz", Pattern::All)],
        block,
        after: vec![layer("cnot", Pattern::Chain), layer("ry", Pattern::All)],
    }
}

#[test]
fn every_gate_means_the_same_in_the_program_and_in_the_executor() {
    let ansatz = all_gates();
    ansatz.check().expect("a circuit");
    for (qubits, blocks) in [(1, 1), (2, 2), (3, 1), (4, 3)] {
        let angles: Vec<f64> = (0..ansatz.angles(qubits, blocks))
            .map(|i| (1.7 * i as f64 + 0.3).sin() * 3.0)
            .collect();
        let circuits = Circuits {
            count: 1,
            qubits,
            blocks,
            ansatz: ansatz.clone(),
            readout: Readout::Real,
            scale: 1.0,
            offset: 0.0,
            used: 1 << qubits,
            order: Order::Circuits,
        };
        let want: Vec<C> = circuits
            .state(&angles)
            .iter()
            .map(|&[re, im]| (re, im))
            .collect();
        let (size, calls) = read(&to_qasm(&picture(&ansatz, qubits, blocks, &angles)));
        let gap = gap(&state(size, &calls), &want);
        assert!(gap < 1e-12, "{qubits} qubits, {blocks} blocks: {gap:.1e}");
    }
}

/// Every gate appears in each drawing as often as in the circuit, with its angle, and every line of text has a wire's length.
#[test]
fn drawings_show_every_gate() {
    let (ansatz, qubits, blocks) = (all_gates(), 4, 2);
    let angles: Vec<f64> = (0..ansatz.angles(qubits, blocks))
        .map(|i| i as f64 / 100.0)
        .collect();
    let drawn = picture(&ansatz, qubits, blocks, &angles);
    let (text, svg) = (to_text(&drawn), to_svg(&drawn));
    for angle in &angles {
        let angle = format!("{angle:.3}");
        assert_eq!(
            text.matches(&format!(" {angle}├")).count(),
            1,
            "{angle}\n{text}"
        );
        assert_eq!(svg.matches(&format!(">{angle}<")).count(), 1, "{angle}");
    }
    let controlled = read(&to_qasm(&drawn)).1;
    let not = controlled.iter().filter(|call| call.gate == "cx").count();
    let dots = not + 2 * controlled.iter().filter(|call| call.gate == "cz").count();
    assert_eq!(text.matches('⊕').count(), not);
    assert_eq!(text.matches('●').count(), dots);
    assert_eq!(svg.matches("class=\"not\"").count(), not);
    assert_eq!(svg.matches("r=\"5\"").count(), dots);
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}
