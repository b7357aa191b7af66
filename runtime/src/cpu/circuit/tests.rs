//! The fast way of the HQC-TF circuit on every instruction set. How right it is, `tests/quantum` holds against golden
//! vectors and finite differences on the machine's own.

use super::*;
use crate::cpu::simd::{Isa, testing};
use hqcc_compiler::quantum::ansatz::Ansatz;
use std::f64::consts::FRAC_PI_2;

/// Angles in [-3, 3) without a pattern, or values of a gradient.
fn values<R: Real>(len: usize, seed: usize) -> Vec<R> {
    let bits = |k: usize| (seed + k).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (0..len)
        .map(|k| R::of((bits(k) as f64 / f64::from(1 << 23) - 1.0) * 3.0))
        .collect()
}

/// What both passes give.
struct Passes<R> {
    y: Vec<R>,
    grad: Vec<R>,
}

fn passes<R: Real>(circuits: &Circuits) -> Passes<R> {
    let theta = values::<R>(circuits.count * circuits.angles(), 1);
    let mut y = vec![R::nan(); circuits.count * circuits.used];
    circuits.forward(&theta, &mut y);
    let dy = values::<R>(y.len(), 7);
    let mut grad = vec![R::nan(); theta.len()];
    circuits.backward(&theta, &dy, &mut grad);
    Passes { y, grad }
}

fn layers() -> impl Iterator<Item = Circuits> {
    let all = (3..=9).flat_map(|qubits| [1, 2, 3].map(|blocks| (qubits, blocks)));
    all.flat_map(|(qubits, blocks)| {
        [Readout::Real, Readout::Probability].map(|readout| Circuits {
            count: 6,
            qubits,
            blocks,
            ansatz: Ansatz::hqc_tf(),
            readout,
            scale: FRAC_PI_2,
            offset: -0.25,
            // Not a whole number of registers.
            used: (1 << qubits) - 3,
            order: match blocks {
                1 => Order::Circuits,
                2 => Order::Rows { positions: 3 },
                _ => Order::Columns { positions: 2 },
            },
        })
    })
}

/// Every result of every instruction set against that of the portable one. With a fused multiply-add, the amplitudes have
/// the same bits whatever the length of a register; only the sums of the gradient have another order.
fn compare<R: Real>(tolerance: f64) {
    for circuits in layers() {
        let results: Vec<(Isa, Passes<R>)> = testing::all()
            .map(|isa| (isa, testing::on(isa, || passes(&circuits))))
            .collect();
        let (last, want) = results.last().unwrap();
        assert_eq!(*last, Isa::Portable);
        let (_, fused) = &results[0];
        for (isa, got) in &results {
            let case = || format!("{isa:?}, {circuits:?}");
            if *isa != Isa::Portable {
                assert!(got.y == fused.y, "other amplitudes: {}", case());
            }
            for (got, want) in [(&got.y, &want.y), (&got.grad, &want.grad)] {
                let largest = want.iter().fold(1.0, |m: f64, x| m.max(x.f64().abs()));
                for (got, want) in got.iter().zip(want) {
                    let gap = (got.f64() - want.f64()).abs();
                    assert!(gap <= tolerance * largest, "{got} for {want}: {}", case());
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_gives_the_same_circuits_in_f32() {
    compare::<f32>(5e-6);
}

#[test]
fn every_instruction_set_gives_the_same_circuits_in_f64() {
    compare::<f64>(1e-14);
}
