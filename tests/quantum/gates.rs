//! Every gate record against the definition of a unitary, and against an independent implementation.

use crate::{golden, layer};
use hqcc_compiler::quantum::ansatz::{
    Ansatz, AnsatzError, GateLayer, Placed, QubitPattern, permutation, qubits_for,
};
use hqcc_compiler::quantum::gates::{GATES, Gate, gate};
use hqcc_compiler::quantum::unitary::{Complex, MAX_ANGLES, Unitary};

/// A matrix of numbers, row by row.
type Matrix = Vec<Vec<Complex>>;

fn at(unitary: &Unitary, gate: &Gate, angles: &[f64]) -> Matrix {
    let (size, sin_cos) = (unitary.size(), gate.sin_cos(angles));
    let row = |i| {
        (0..size)
            .map(|j| unitary.entry(i, j).at(&sin_cos))
            .collect()
    };
    (0..size).map(row).collect()
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let entry = |row: &Vec<Complex>, j: usize| {
        let terms = row.iter().zip(b).map(|(&a, b)| a * b[j]);
        terms.fold(Complex::ZERO, |sum, term| sum + term)
    };
    let row = |row: &Vec<Complex>| (0..b.len()).map(|j| entry(row, j)).collect();
    a.iter().map(row).collect()
}

fn distance(a: &Matrix, b: &Matrix) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs
        .map(|(a, b)| (a.re - b.re).hypot(a.im - b.im))
        .fold(0.0, f64::max)
}

fn identity(size: usize) -> Matrix {
    let entry = |i, j| Complex::new(f64::from(u8::from(i == j)), 0.0);
    let row = |i| (0..size).map(|j| entry(i, j)).collect();
    (0..size).map(row).collect()
}

/// Angles for gate number `number`, no two alike.
fn angles(gate: &Gate, number: usize) -> Vec<f64> {
    (0..gate.angles())
        .map(|k| 3.0 * (1.3 * (number * MAX_ANGLES + k) as f64 + 0.2).sin())
        .collect()
}

#[test]
fn the_adjoint_is_the_inverse() {
    for gate in GATES {
        let unitary = (gate.unitary)();
        assert_eq!(unitary.size(), 1 << gate.qubits, "{}", gate.name);
        for number in 0..4 {
            let angles = angles(gate, number);
            let undo = at(&unitary.adjoint(), gate, &angles);
            let both = product(&undo, &at(&unitary, gate, &angles));
            let gap = distance(&both, &identity(unitary.size()));
            assert!(gap < 1e-15, "{}{angles:?}: {gap}", gate.name);
        }
    }
}

#[test]
fn derivatives_match_central_differences() {
    for gate in GATES {
        let unitary = (gate.unitary)();
        for number in 0..4 {
            let angles = angles(gate, number);
            for (k, derivative) in gate.derivatives().iter().enumerate() {
                let moved = |by: f64| {
                    let mut moved = angles.clone();
                    moved[k] += by;
                    at(&unitary, gate, &moved)
                };
                let (up, down) = (moved(1e-5), moved(-1e-5));
                let slope = |(a, b): (&Complex, &Complex)| (*a + -*b) * (1.0 / 2e-5);
                let rows = up.iter().zip(&down);
                let want: Matrix = rows
                    .map(|(a, b)| a.iter().zip(b).map(slope).collect())
                    .collect();
                let gap = distance(&at(derivative, gate, &angles), &want);
                assert!(
                    gap < 1e-9,
                    "{} by angle {k} at {angles:?}: {gap}",
                    gate.name
                );
            }
        }
    }
}

#[test]
fn matrices_are_those_of_the_golden_file() {
    let cases = golden::gates();
    for gate in GATES {
        let mut own = cases
            .gates
            .iter()
            .filter(|case| case.gate == gate.name)
            .peekable();
        assert!(own.peek().is_some(), "no golden matrix of `{}`", gate.name);
        for case in own {
            assert_eq!(case.angles.len(), gate.angles(), "{}", gate.name);
            let got = at(&(gate.unitary)(), gate, &case.angles);
            let gap = distance(&got, &case.matrix());
            // The other implementation adds the two phases of `u3` before it takes their sine.
            assert!(gap < 4e-15, "{}{:?}: {gap}", gate.name, case.angles);
        }
    }
}

/// What the executors leave out is the identity: the sets of basis states that a gate mixes give the whole matrix.
#[test]
fn blocks_hold_all_that_a_gate_does() {
    for gate in GATES {
        let unitary = (gate.unitary)();
        let whole = at(&unitary, gate, &angles(gate, 1));
        let mut built = identity(unitary.size());
        let blocks = unitary.blocks();
        for block in &blocks {
            for &i in block {
                for &j in block {
                    built[i][j] = whole[i][j];
                }
            }
        }
        assert_eq!(built, whole, "{}: {blocks:?}", gate.name);
        let mut states = blocks.concat();
        states.sort_unstable();
        states.dedup();
        assert_eq!(states.len(), blocks.concat().len(), "{}", gate.name);
    }
    let blocks = |name| (gate(name).expect("a gate").unitary)().blocks();
    assert_eq!(blocks("crx"), [[2, 3]]);
    assert_eq!(blocks("rxx"), [[0, 3], [1, 2]]);
    assert_eq!(blocks("rzz"), [[0], [1], [2], [3]]);
    assert_eq!(blocks("cz"), [[3]]);
}

#[test]
fn records_are_whole() {
    for (at, gate) in GATES.iter().enumerate() {
        let name = gate.name;
        assert!(
            GATES[..at].iter().all(|other| other.name != name),
            "{name} twice"
        );
        assert!((1..=2).contains(&gate.qubits), "{name}");
        assert_eq!(gate.marks.len(), gate.qubits, "{name}");
        assert!(gate.angles() <= MAX_ANGLES, "{name}");
        assert!(!gate.doc.is_empty() && !gate.doc.ends_with('.'), "{name}");
        let unitary = (gate.unitary)();
        let still =
            |k| gate.derivatives()[k] == Unitary::made(unitary.size(), |_, _| Default::default());
        assert!(
            !(0..gate.angles()).any(still),
            "{name} has an angle that does nothing"
        );
    }
}

/// Gates as they are placed on a ring.
fn ring(name: &str, qubits: usize) -> Vec<Placed> {
    layer(name, QubitPattern::Ring).placed(qubits, 0).collect()
}

fn source(qubits: usize, gates: &[Placed]) -> Vec<u32> {
    let own = |placed: &Placed| (placed.gate.unitary)().permutation().expect("moves only");
    let run: Vec<_> = gates.iter().map(|p| (p.clone(), own(p))).collect();
    permutation(qubits, &run)
}

#[test]
fn ring_of_cnots_is_one_permutation() {
    for qubits in 1..8 {
        let ring = ring("cnot", qubits);
        assert_eq!(ring.len(), if qubits == 1 { 0 } else { qubits });
        let source = source(qubits, &ring);
        for start in 0..1u32 << qubits {
            let mut bits: Vec<u32> = (0..qubits).map(|q| start >> (qubits - 1 - q) & 1).collect();
            for placed in &ring {
                bits[placed.qubits[1]] ^= bits[placed.qubits[0]];
            }
            let end = bits.iter().fold(0, |index, bit| 2 * index + bit);
            assert_eq!(source[end as usize], start, "{qubits} qubits, from {start}");
        }
    }
}

/// Swaps around a ring carry qubit 0 to the end and back: the last one undoes the first.
#[test]
fn ring_of_swaps_is_one_permutation() {
    for qubits in 2..8 {
        let ring = ring("swap", qubits);
        let source = source(qubits, &ring);
        for start in 0..1u32 << qubits {
            let mut bits: Vec<u32> = (0..qubits).map(|q| start >> (qubits - 1 - q) & 1).collect();
            for placed in &ring {
                bits.swap(placed.qubits[0], placed.qubits[1]);
            }
            let end = bits.iter().fold(0, |index, bit| 2 * index + bit);
            assert_eq!(source[end as usize], start, "{qubits} qubits, from {start}");
        }
    }
    for name in ["rx", "cz", "y", "t", "rzz"] {
        let unitary = (gate(name).expect("a gate").unitary)();
        assert_eq!(unitary.permutation(), None, "{name}");
    }
}

#[test]
fn angles_are_counted() {
    let hqc = Ansatz::hqc_tf();
    hqc.check().expect("a circuit");
    assert_eq!(hqc.angle_shape(6, 1), [1, 2, 6]);
    assert_eq!(hqc.angles(6, 1) * 9, 108);
    assert_eq!(hqc.angles(qubits_for(64), 1) * 576, 6912);
    assert_eq!([1, 2, 3, 64, 65].map(qubits_for), [1, 1, 2, 6, 7]);
    let circuit = |before: &[(&str, QubitPattern)], block: &[(&str, QubitPattern)]| {
        let layers = |part: &[(&str, QubitPattern)]| {
            part.iter().map(|&(name, on)| layer(name, on)).collect()
        };
        Ansatz {
            before: layers(before),
            block: layers(block),
            after: Vec::new(),
        }
    };
    let u3 = [("u3", QubitPattern::All), ("crx", QubitPattern::Ring)];
    assert_eq!(circuit(&[], &u3).angle_shape(5, 2), [2, 4, 5]);
    assert_eq!(circuit(&[], &u3).angle_shape(1, 2), [2, 3, 1]);
    let rz = [("rz", QubitPattern::All)];
    assert_eq!(circuit(&rz, &u3).angle_shape(5, 2), [9, 5]);
    let chain = [("ry", QubitPattern::All), ("rzz", QubitPattern::Chain)];
    assert_eq!(circuit(&[], &chain).angle_shape(5, 2), [2, 9]);
    assert_eq!(circuit(&rz, &chain).angle_shape(5, 2), [23]);
    // Angles of a gate with three come in three rows.
    let placed: Vec<Placed> = layer("u3", QubitPattern::All).placed(4, 10).collect();
    assert_eq!(placed[1].angles, [11, 15, 19]);
}

#[test]
fn what_is_no_circuit_is_refused() {
    let cnot = gate("cnot").expect("a gate");
    let refused = GateLayer::new(cnot, QubitPattern::All);
    assert_eq!(refused, Err(AnsatzError::Arity("cnot", "two qubits")));
    let mut still = Ansatz::hqc_tf();
    still.block = vec![layer("h", QubitPattern::All)];
    assert_eq!(still.check(), Err(AnsatzError::NoAngles));
    let stored = serde_json::to_value(Ansatz::hqc_tf()).expect("plain data");
    assert_eq!(
        stored["block"][2],
        serde_json::json!({ "gate": "cnot", "on": "ring" })
    );
    let read = serde_json::from_value::<Ansatz>(stored.clone()).expect("the same");
    assert_eq!(read, Ansatz::hqc_tf());
    for (gate, on) in [("rw", "all"), ("cnot", "all"), ("rx", "chain")] {
        let mut broken = stored.clone();
        broken["block"][0] = serde_json::json!({ "gate": gate, "on": on });
        assert!(
            serde_json::from_value::<Ansatz>(broken).is_err(),
            "{gate} {on}"
        );
    }
}

/// The fast way is chosen by what a circuit does.
#[test]
fn the_default_circuit_is_known_by_its_unitaries() {
    let default = Ansatz::hqc_tf();
    assert!(default.is_hqc_tf());
    for (at, other) in [(0, "rx"), (1, "rz")] {
        let mut changed = default.clone();
        changed.block[at] = layer(other, QubitPattern::All);
        assert!(!changed.is_hqc_tf(), "{other}");
    }
    let mut chain = default.clone();
    chain.block[2] = layer("cnot", QubitPattern::Chain);
    let mut longer = default.clone();
    longer.after.push(layer("h", QubitPattern::All));
    assert!(!chain.is_hqc_tf() && !longer.is_hqc_tf());
}
