//! The fields of every gate record held against each other.

use hqcc_compiler::quantum::ansatz::{Ansatz, Layer, Pattern, cnot_source, pairs, qubits_for};
use hqcc_compiler::quantum::gates::{Complex, GATES, Inverse, Matrix};

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]))
}

fn distance(a: &Matrix, b: &Matrix) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs
        .map(|(a, b)| (a.re - b.re).hypot(a.im - b.im))
        .fold(0.0, f64::max)
}

const IDENTITY: Matrix = [
    [Complex::new(1.0, 0.0), Complex::new(0.0, 0.0)],
    [Complex::new(0.0, 0.0), Complex::new(1.0, 0.0)],
];

#[test]
fn inverse_undoes() {
    for gate in GATES {
        for t in [0.0, 0.3, -2.1, 5.0] {
            let undo = match gate.inverse {
                Inverse::Itself => (gate.matrix)(t),
                Inverse::Negated => (gate.matrix)(-t),
            };
            let gap = distance(&product(&undo, &(gate.matrix)(t)), &IDENTITY);
            assert!(gap < 1e-15, "{}({t}): {gap}", gate.name);
        }
    }
}

#[test]
fn matrix_is_the_generators_exponential() {
    for gate in GATES {
        let Some(generator) = gate.generator else {
            assert_eq!(
                (gate.matrix)(0.0),
                (gate.matrix)(1.0),
                "{} has an angle",
                gate.name
            );
            continue;
        };
        // The generator squares to one, so exp(-i t G / 2) = cos(t / 2) - i sin(t / 2) G.
        assert_eq!(product(&generator, &generator), IDENTITY, "{}", gate.name);
        for t in [0.0, 0.7, -4.0] {
            let (s, c) = (t / 2.0f64).sin_cos();
            let want: Matrix = std::array::from_fn(|i| {
                std::array::from_fn(|j| {
                    Complex::new(c, 0.0) * IDENTITY[i][j] + Complex::new(0.0, -s) * generator[i][j]
                })
            });
            assert!(
                distance(&(gate.matrix)(t), &want) < 1e-15,
                "{}({t})",
                gate.name
            );
        }
    }
}

#[test]
fn ring_of_cnots_is_one_permutation() {
    for qubits in 1..8 {
        let ring = pairs(Pattern::Ring, qubits);
        assert_eq!(ring.len(), if qubits == 1 { 0 } else { qubits });
        let source = cnot_source(qubits, &ring);
        for start in 0..1u32 << qubits {
            let mut bits: Vec<u32> = (0..qubits).map(|q| start >> (qubits - 1 - q) & 1).collect();
            for &(control, target) in &ring {
                bits[target] ^= bits[control];
            }
            let end = bits.iter().fold(0, |index, bit| 2 * index + bit);
            assert_eq!(source[end as usize], start, "{qubits} qubits, from {start}");
        }
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
    let mut bad = hqc.clone();
    bad.block[0].gate = "rw".to_owned();
    assert!(bad.check().is_err());
    bad.block = vec![Layer {
        gate: "cnot".to_owned(),
        on: Pattern::All,
    }];
    assert!(bad.check().is_err());
}
