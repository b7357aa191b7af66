//! OpenQASM 3 programs read back: a strict reader of the part of the language that is written, and dense matrices of its
//! own, against the golden states and the executor's.

use crate::{all_gates, golden, layer};
use hqcc::cpu::circuit::{Circuits, Order, Readout};
use hqcc_compiler::quantum::ansatz::{Ansatz, QubitPattern};
use hqcc_compiler::quantum::gates::{GATES, Gate, Mark, gate};
use hqcc_compiler::quantum::picture::{Picture, to_svg, to_text};
use hqcc_compiler::quantum::qasm::to_qasm;
use std::collections::BTreeMap;

/// A complex number.
type C = (f64, f64);

fn mul(a: C, b: C) -> C {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn add(a: C, b: C) -> C {
    (a.0 + b.0, a.1 + b.1)
}

/// A call of a gate.
#[derive(Clone, Debug)]
struct Call<A, Q> {
    gate: String,
    angles: Vec<A>,
    qubits: Vec<Q>,
}

/// A gate that a program defines; its body names parameters and qubits by their places in the head.
struct Definition {
    angles: usize,
    qubits: usize,
    body: Vec<Call<usize, usize>>,
}

/// A program: the size of its register, the gates that it defines, its calls.
struct Program {
    size: usize,
    definitions: BTreeMap<String, Definition>,
    calls: Vec<Call<f64, usize>>,
}

/// Reads `name(angle, ..) qubit, ..;`.
fn call<A, Q>(line: &str, angle: impl Fn(&str) -> A, qubit: impl Fn(&str) -> Q) -> Call<A, Q> {
    let line = line
        .strip_suffix(';')
        .unwrap_or_else(|| panic!("no semicolon: {line}"));
    let (head, operands) = match line.split_once('(') {
        Some((name, rest)) => {
            let (angles, operands) = rest.split_once(") ").expect("a closing bracket");
            ((name, Some(angles)), operands)
        }
        None => {
            let (name, operands) = line.split_once(' ').expect("operands");
            ((name, None), operands)
        }
    };
    let angles = head.1.map(|text| text.split(", ").map(angle).collect());
    Call {
        gate: head.0.to_owned(),
        angles: angles.unwrap_or_default(),
        qubits: operands.split(", ").map(qubit).collect(),
    }
}

/// Reads `gate name(parameter, ..) qubit, .. { call; .. }`.
fn definition(line: &str) -> (String, Definition) {
    let (head, body) = line.split_once(" { ").expect("a body");
    let body = body.strip_suffix(" }").expect("the end of the body");
    let head = call(&format!("{head};"), str::to_owned, str::to_owned);
    let place = |names: &[String], name: &str| {
        let found = names.iter().position(|known| known == name);
        found.unwrap_or_else(|| panic!("`{name}` is not declared: {line}"))
    };
    let calls = body.split_inclusive(';').map(|text| {
        let (angle, qubit) = (
            |name: &str| place(&head.angles, name),
            |name: &str| place(&head.qubits, name),
        );
        call(text.trim_start(), angle, qubit)
    });
    let definition = Definition {
        angles: head.angles.len(),
        qubits: head.qubits.len(),
        body: calls.collect(),
    };
    (head.gate, definition)
}

/// Reads what [`to_qasm`] may write and nothing else: the two head lines, comments, definitions, one register, gate calls.
fn read(text: &str) -> Program {
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .peekable();
    assert_eq!(lines.next(), Some("OPENQASM 3.0;"));
    assert_eq!(lines.next(), Some("include \"stdgates.inc\";"));
    let mut definitions = BTreeMap::new();
    while let Some(line) = lines.next_if(|line| line.starts_with("gate ")) {
        let (name, definition) = definition(&line["gate ".len()..]);
        assert!(
            matrix(&name, &[0.0; 3]).is_none(),
            "{name} is in stdgates.inc"
        );
        assert!(definitions.insert(name, definition).is_none(), "{line}");
    }
    let register = lines.next().and_then(|line| line.strip_prefix("qubit["));
    let size = register
        .and_then(|line| line.strip_suffix("] q;"))
        .expect("a register");
    let size: usize = size.parse().expect("its size");
    let angle = |text: &str| text.parse().expect("an angle");
    let qubit = |operand: &str| -> usize {
        let number = operand
            .strip_prefix("q[")
            .and_then(|rest| rest.strip_suffix(']'));
        let qubit = number.and_then(|n| n.parse().ok()).expect("a qubit");
        assert!(qubit < size, "{operand}");
        qubit
    };
    Program {
        size,
        definitions,
        calls: lines.map(|line| call(line, angle, qubit)).collect(),
    }
}

/// The matrix of a gate of `stdgates.inc`, as the OpenQASM specification defines it, and how many angles it takes;
/// the first qubit is the most significant bit.
fn matrix(gate: &str, angles: &[f64]) -> Option<(usize, Vec<Vec<C>>)> {
    let (o, l) = ((0.0, 0.0), (1.0, 0.0));
    let r = 0.5f64.sqrt();
    let angle = angles.first().copied().unwrap_or(0.0);
    let (c, s) = ((angle / 2.0).cos(), (angle / 2.0).sin());
    if gate == "swap" {
        let rows = [[l, o, o, o], [o, o, l, o], [o, l, o, o], [o, o, o, l]];
        return Some((0, rows.iter().map(|row| row.to_vec()).collect()));
    }
    if let Some(target) = gate.strip_prefix('c') {
        let (count, target) = matrix(target, angles)?;
        let mut rows = vec![vec![l, o, o, o], vec![o, l, o, o]];
        rows.extend(target.iter().map(|row| vec![o, o, row[0], row[1]]));
        return Some((count, rows));
    }
    let (count, rows) = match gate {
        "h" => (0, [[(r, 0.0), (r, 0.0)], [(r, 0.0), (-r, 0.0)]]),
        "x" => (0, [[o, l], [l, o]]),
        "y" => (0, [[o, (0.0, -1.0)], [(0.0, 1.0), o]]),
        "z" => (0, [[l, o], [o, (-1.0, 0.0)]]),
        "s" => (0, [[l, o], [o, (0.0, 1.0)]]),
        "sdg" => (0, [[l, o], [o, (0.0, -1.0)]]),
        "t" => (0, [[l, o], [o, (r, r)]]),
        "tdg" => (0, [[l, o], [o, (r, -r)]]),
        "p" => (1, [[l, o], [o, (angle.cos(), angle.sin())]]),
        "rx" => (1, [[(c, 0.0), (0.0, -s)], [(0.0, -s), (c, 0.0)]]),
        "ry" => (1, [[(c, 0.0), (-s, 0.0)], [(s, 0.0), (c, 0.0)]]),
        "rz" => (1, [[(c, -s), o], [o, (c, s)]]),
        _ => return None,
    };
    Some((count, rows.iter().map(|row| row.to_vec()).collect()))
}

impl Program {
    /// The state that `state` becomes, by dense matrices of the whole register, q[0] the most significant bit.
    fn run(&self, state: Vec<C>) -> Vec<C> {
        self.calls
            .iter()
            .fold(state, |state, call| self.apply(call, state))
    }

    /// The final state from |0..0>.
    fn state(&self) -> Vec<C> {
        let mut state = vec![(0.0, 0.0); 1 << self.size];
        state[0] = (1.0, 0.0);
        self.run(state)
    }

    fn apply(&self, call: &Call<f64, usize>, state: Vec<C>) -> Vec<C> {
        if let Some(definition) = self.definitions.get(&call.gate) {
            let counts = (definition.angles, definition.qubits);
            assert_eq!((call.angles.len(), call.qubits.len()), counts, "{call:?}");
            return definition.body.iter().fold(state, |state, inner| {
                let inner = Call {
                    gate: inner.gate.clone(),
                    angles: inner.angles.iter().map(|&at| call.angles[at]).collect(),
                    qubits: inner.qubits.iter().map(|&at| call.qubits[at]).collect(),
                };
                self.apply(&inner, state)
            });
        }
        let (count, m) = matrix(&call.gate, &call.angles)
            .unwrap_or_else(|| panic!("no gate of stdgates.inc that hqcc writes: {call:?}"));
        assert_eq!(call.angles.len(), count, "{call:?}");
        assert_eq!(1 << call.qubits.len(), m.len(), "{call:?}");
        let shift = |qubit: usize| self.size - 1 - qubit;
        // Basis state of the gate in an index, and the index with another one.
        let own = |index: usize| {
            let bits = call.qubits.iter().map(|&q| index >> shift(q) & 1);
            bits.fold(0, |own, bit| 2 * own + bit)
        };
        let with = |index: usize, own: usize| {
            let places = call.qubits.iter().rev().enumerate();
            places.fold(index, |index, (place, &q)| {
                index & !(1 << shift(q)) | (own >> place & 1) << shift(q)
            })
        };
        (0..state.len())
            .map(|i| {
                let row = m[own(i)].iter().enumerate();
                row.fold((0.0, 0.0), |sum, (column, &entry)| {
                    add(sum, mul(entry, state[with(i, column)]))
                })
            })
            .collect()
    }
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
        let program = read(&text);
        let want: Vec<C> = case
            .amp_re
            .iter()
            .copied()
            .zip(case.amp_im.iter().copied())
            .collect();
        let gap = gap(&program.state(), &want);
        assert!(gap < 1e-12, "{}: {gap:.1e}\n{text}", case.name);
    }
}

/// The program of a single gate has the golden matrix, global phase included.
#[test]
fn every_gate_is_read_back_as_its_matrix() {
    for case in golden::gates().gates {
        let qubits = gate(&case.gate).expect("a gate").qubits;
        let on = [QubitPattern::All, QubitPattern::Chain][qubits - 1];
        let ansatz = Ansatz {
            before: Vec::new(),
            block: vec![layer(&case.gate, on)],
            after: Vec::new(),
        };
        let text = to_qasm(&picture(&ansatz, qubits, 1, &case.angles));
        let program = read(&text);
        assert_eq!(program.calls.len(), 1, "{text}");
        let want = case.matrix();
        for column in 0..1 << qubits {
            let mut basis = vec![(0.0, 0.0); 1 << qubits];
            basis[column] = (1.0, 0.0);
            let want: Vec<C> = want
                .iter()
                .map(|row| (row[column].re, row[column].im))
                .collect();
            let gap = gap(&program.run(basis), &want);
            assert!(
                gap < 1e-15,
                "{} column {column}: {gap:.1e}\n{text}",
                case.gate
            );
        }
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
        let program = read(&to_qasm(&picture(&ansatz, qubits, blocks, &angles)));
        let gap = gap(&program.state(), &want);
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
    let in_text = text.split(['┤', '├']).flat_map(|part| part.split(' '));
    let in_text: Vec<&str> = in_text.collect();
    let in_svg = svg.split("class=\"angle\">").skip(1);
    let in_svg: Vec<&str> = in_svg
        .flat_map(|part| part.split('<').next().unwrap_or_default().split(' '))
        .collect();
    assert_eq!(in_svg.len(), angles.len());
    for angle in &angles {
        let angle = format!("{angle:.3}");
        assert_eq!(
            in_text.iter().filter(|part| **part == angle).count(),
            1,
            "{angle}\n{text}"
        );
        assert_eq!(
            in_svg.iter().filter(|part| **part == angle).count(),
            1,
            "{angle}"
        );
    }
    let sections = ansatz.parts(qubits, blocks);
    let placed: Vec<_> = sections.iter().flat_map(|section| &section.gates).collect();
    let count = |mark: Mark| -> usize {
        let own = |gate: &Gate| gate.marks.iter().filter(|&&m| m == mark).count();
        placed.iter().map(|placed| own(placed.gate)).sum()
    };
    assert_eq!(text.matches('⊕').count(), count(Mark::Plus));
    assert_eq!(text.matches('●').count(), count(Mark::Dot));
    assert_eq!(text.matches('╳').count(), count(Mark::Cross));
    assert_eq!(svg.matches("class=\"not\"").count(), count(Mark::Plus));
    assert_eq!(svg.matches("r=\"5\"").count(), count(Mark::Dot));
    assert_eq!(
        svg.matches("l12 12m0 -12l-12 12").count(),
        count(Mark::Cross)
    );
    for gate in GATES {
        for mark in gate.marks {
            if let Mark::Boxed(name) = mark {
                let begun = text.matches(&format!("┤{name} ")).count();
                let plain = text.matches(&format!("┤{name}├")).count();
                assert_eq!(begun + plain, count(*mark), "{name}\n{text}");
                assert_eq!(
                    svg.matches(&format!(">{name}<")).count(),
                    count(*mark),
                    "{name}"
                );
            }
        }
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

/// Every gate on two or three wires, as it is shown.
#[test]
fn drawings_of_every_gate() {
    let (ansatz, qubits) = (all_gates(), 3);
    let angles: Vec<f64> = (0..ansatz.angles(qubits, 1))
        .map(|i| i as f64 / 8.0 - 2.0)
        .collect();
    let drawn = picture(&ansatz, qubits, 1, &angles);
    insta::assert_snapshot!("text", to_text(&drawn));
    insta::assert_snapshot!("svg", to_svg(&drawn));
    insta::assert_snapshot!("qasm", to_qasm(&drawn));
}
