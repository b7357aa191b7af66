//! The CPU kernels on slices, in both precisions.

use crate::{golden, layer};
use hqcc::cpu::circuit::{Circuits, Order, Readout};
use hqcc::cpu::lpp::Lpp;
use hqcc::cpu::real::Real;
use hqcc::cpu::weight_map;
use hqcc_compiler::quantum::ansatz::{Ansatz, QubitPattern, qubits_for};
use std::f64::consts::FRAC_PI_2;

pub fn one(qubits: usize, blocks: usize, readout: Readout) -> Circuits {
    Circuits {
        count: 1,
        qubits,
        blocks,
        ansatz: Ansatz::hqc_tf(),
        readout,
        scale: 1.0,
        offset: 0.0,
        used: 1 << qubits,
        order: Order::Circuits,
    }
}

pub fn of<R: Real>(values: &[f64]) -> Vec<R> {
    values.iter().map(|&x| R::of(x)).collect()
}

#[track_caller]
pub fn near<R: Real>(what: &str, got: &[R], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let gap = (got.f64() - want).abs();
        assert!(
            gap <= tolerance,
            "{what}[{i}]: {got} for {want}, off by {gap:.1e}"
        );
    }
}

/// Of the largest entry; where all are zero (a basis state), of a twentieth.
#[track_caller]
pub fn near_gradient<R: Real>(what: &str, got: &[R], want: &[f64], tolerance: f64) {
    let largest = want.iter().fold(5e-2f64, |m, x| m.max(x.abs()));
    near(what, got, want, tolerance * largest);
}

pub fn forward<R: Real>(circuits: &Circuits, theta: &[R]) -> Vec<R> {
    let mut y = vec![R::of(f64::NAN); circuits.count * circuits.used];
    circuits.forward(theta, &mut y);
    y
}

pub fn backward<R: Real>(circuits: &Circuits, theta: &[R], dy: &[R]) -> Vec<R> {
    let mut grad = vec![R::of(f64::NAN); theta.len()];
    circuits.backward(theta, dy, &mut grad);
    grad
}

fn check_circuits<R: Real>(amplitudes: f64, gradients: f64) {
    for case in golden::circuits() {
        let name = &case.name;
        let (theta, v) = (of::<R>(&case.theta()), of::<R>(&case.v));
        let real = one(case.n_qubits, case.blocks, Readout::Real);
        near(name, &forward(&real, &theta), &case.amp_re, amplitudes);
        near_gradient(
            name,
            &backward(&real, &theta, &v),
            &case.rce.theta(),
            gradients,
        );

        let prob = one(case.n_qubits, case.blocks, Readout::Probability);
        let p = forward(&prob, &theta);
        near(name, &p, &case.prob, amplitudes);
        let state: Vec<R> = prob.state(&theta).concat();
        let want: Vec<f64> = case
            .amp_re
            .iter()
            .zip(&case.amp_im)
            .flat_map(|(&re, &im)| [re, im])
            .collect();
        near(name, &state, &want, amplitudes);

        let sst = Circuits {
            scale: FRAC_PI_2,
            offset: -FRAC_PI_2 / 2.0,
            ..prob.clone()
        };
        let y: Vec<f64> = case.prob.iter().map(|p| FRAC_PI_2 * (p - 0.5)).collect();
        near(name, &forward(&sst, &theta), &y, 2.0 * amplitudes);
        near_gradient(
            name,
            &backward(&sst, &theta, &v),
            &case.sst.theta(),
            gradients,
        );

        let (Some(w), Some(b)) = (&case.lpp.w, case.lpp.b) else {
            panic!("{name}: no lpp")
        };
        let lpp = Lpp {
            used: prob.used,
            bits: case.n_qubits,
            groups: 1,
        };
        let (w, b) = (of::<R>(w), [R::of(b)]);
        let mut y = vec![R::zero(); prob.used];
        lpp.forward(&p, &w, &b, &mut y);
        near(
            name,
            &y,
            case.lpp.y.as_deref().unwrap_or_default(),
            4.0 * amplitudes,
        );
        let mut dp = y.clone();
        lpp.grad_probability(&w, &v, &mut dp);
        near_gradient(
            name,
            &backward(&prob, &theta, &dp),
            &case.lpp.theta(),
            gradients,
        );
        let mut found = vec![R::zero(); w.len() + 1];
        lpp.grad_parameters(&p, &v, &mut found);
        let mut want = case.lpp.grad_w.clone().unwrap_or_default();
        want.extend(case.lpp.grad_b);
        near_gradient(name, &found, &want, gradients);
    }
}

#[test]
fn golden_circuits_in_f64() {
    check_circuits::<f64>(1e-12, 1e-12);
}

#[test]
fn golden_circuits_in_f32() {
    check_circuits::<f32>(1e-6, 5e-6);
}

/// Where entry (o, i, kh, kw) of a weight lies in `[KH, KW, I, O]`.
fn lie<R: Real>(case: &golden::ConvCase, weight: &[f64]) -> Vec<R> {
    let positions = case.kh * case.kw;
    let mut out = vec![R::zero(); weight.len()];
    for (flat, &x) in weight.iter().enumerate() {
        let (channel, position) = (flat / positions, flat % positions);
        let (o, i) = (channel / case.c_in, channel % case.c_in);
        out[(position * case.c_in + i) * case.c_out + o] = R::of(x);
    }
    out
}

fn check_convs<R: Real>(weights: f64, gradients: f64) {
    for case in golden::convs() {
        let positions = case.kh * case.kw;
        assert_eq!(case.n_qubits, qubits_for(case.c_in.max(case.c_out)));
        let order = if case.c_in <= case.c_out {
            Order::Rows { positions }
        } else {
            Order::Columns { positions }
        };
        let theta = of::<R>(&case.theta);
        let dw = lie::<R>(&case, &case.cotangent);
        for (name, result, readout, scale, offset) in [
            ("rce", &case.rce, Readout::Real, 1.0, 0.0),
            (
                "sst",
                &case.sst,
                Readout::Probability,
                FRAC_PI_2,
                -FRAC_PI_2 / 2.0,
            ),
        ] {
            let what = format!("{} {name}", case.name);
            let fused = Circuits {
                count: case.circuits,
                qubits: case.n_qubits,
                blocks: case.blocks,
                ansatz: Ansatz::hqc_tf(),
                readout,
                scale,
                offset,
                used: case.c_in.max(case.c_out),
                order,
            };
            let want: Vec<f64> = lie(&case, &result.weight);
            near(&what, &forward(&fused, &theta), &want, weights);
            let grad = backward(&fused, &theta, &dw);
            near_gradient(&what, &grad, &result.grad_theta, gradients);

            let plain = Circuits {
                order: Order::Circuits,
                ..fused.clone()
            };
            let rows = forward(&plain, &theta);
            let mut weight = rows.clone();
            weight_map::forward(order, fused.used, &rows, &mut weight);
            near(&what, &weight, &want, weights);
            let mut dy = rows.clone();
            weight_map::backward(order, fused.used, &dw, &mut dy);
            let grad = backward(&plain, &theta, &dy);
            near_gradient(&what, &grad, &result.grad_theta, gradients);
        }
        let sets = [
            (1, Some(&case.lpp)),
            (case.circuits, case.lpp_per_circuit.as_ref()),
        ];
        for (groups, result) in sets {
            let Some(result) = result else { continue };
            let what = format!("{} lpp, {groups} sets", case.name);
            let plain = Circuits {
                count: case.circuits,
                qubits: case.n_qubits,
                blocks: case.blocks,
                ansatz: Ansatz::hqc_tf(),
                readout: Readout::Probability,
                scale: 1.0,
                offset: 0.0,
                used: case.c_in.max(case.c_out),
                order: Order::Circuits,
            };
            let lpp = Lpp {
                used: plain.used,
                bits: case.n_qubits,
                groups,
            };
            let w = of::<R>(result.w.as_deref().unwrap_or_default());
            let b = of::<R>(&result.b.as_ref().map(golden::flat).unwrap_or_default());
            let p = forward(&plain, &theta);
            let mut y = p.clone();
            lpp.forward(&p, &w, &b, &mut y);
            let mut weight = y.clone();
            weight_map::forward(order, plain.used, &y, &mut weight);
            near(&what, &weight, &lie(&case, &result.weight), 4.0 * weights);
            let (mut dy, mut dp) = (y.clone(), y.clone());
            weight_map::backward(order, plain.used, &dw, &mut dy);
            lpp.grad_probability(&w, &dy, &mut dp);
            let grad = backward(&plain, &theta, &dp);
            near_gradient(&what, &grad, &result.grad_theta, gradients);
            let mut found = vec![R::zero(); w.len() + b.len()];
            lpp.grad_parameters(&p, &dy, &mut found);
            let want_w = result.grad_w.as_deref().unwrap_or_default();
            let want_b = result.grad_b.as_ref().map(golden::flat).unwrap_or_default();
            let want: Vec<f64> = want_w
                .chunks(1 + case.n_qubits)
                .zip(&want_b)
                .flat_map(|(w, &b)| [w, &[b]].concat())
                .collect();
            near_gradient(&what, &found, &want, gradients);
        }
    }
}

#[test]
fn golden_convs_in_f64() {
    check_convs::<f64>(1e-12, 1e-12);
}

#[test]
fn golden_convs_in_f32() {
    check_convs::<f32>(1e-6, 5e-6);
}

/// Angles that look random.
pub fn angles(count: usize) -> Vec<f64> {
    (0..count)
        .map(|i| 3.0 * (1.7 * i as f64 + 0.3).sin())
        .collect()
}

fn custom() -> Ansatz {
    Ansatz {
        before: vec![
            layer("h", QubitPattern::All),
            layer("rz", QubitPattern::All),
        ],
        block: vec![
            layer("ry", QubitPattern::All),
            layer("cnot", QubitPattern::Chain),
            layer("rx", QubitPattern::All),
            layer("cz", QubitPattern::Ring),
            layer("rz", QubitPattern::All),
        ],
        after: vec![
            layer("x", QubitPattern::All),
            layer("ry", QubitPattern::All),
        ],
    }
}

/// An independent way to a probability's gradient: half the difference at +-pi/2, exact for gates
/// whose generator squares to one.
fn check_parameter_shift(circuits: &Circuits) {
    let theta = angles(circuits.angles());
    let dy = angles(circuits.used);
    let got = backward(circuits, &theta, &dy);
    let mut want = vec![0.0; theta.len()];
    for (i, want) in want.iter_mut().enumerate() {
        for sign in [1.0, -1.0] {
            let mut moved = theta.clone();
            moved[i] += sign * FRAC_PI_2;
            let y = forward(circuits, &moved);
            *want += sign * 0.5 * y.iter().zip(&dy).map(|(y, g)| y * g).sum::<f64>();
        }
    }
    let what = format!("{} qubits, {} blocks", circuits.qubits, circuits.blocks);
    near_gradient(&what, &got, &want, 1e-12);
}

#[test]
fn gradients_follow_the_parameter_shift_rule() {
    for qubits in 1..=8 {
        for blocks in 1..=3 {
            let hqc = one(qubits, blocks, Readout::Probability);
            check_parameter_shift(&hqc);
            check_parameter_shift(&Circuits {
                ansatz: custom(),
                ..hqc
            });
        }
    }
}

#[test]
fn gradients_of_a_custom_circuit_match_central_differences() {
    for readout in [Readout::Real, Readout::Probability] {
        let circuits = Circuits {
            ansatz: custom(),
            ..one(4, 2, readout)
        };
        let theta = angles(circuits.angles());
        let dy = angles(circuits.used);
        let loss = |theta: &[f64]| -> f64 {
            let y = forward(&circuits, theta);
            y.iter().zip(&dy).map(|(y, g)| y * g).sum()
        };
        let want: Vec<f64> = (0..theta.len())
            .map(|i| {
                let (mut up, mut down) = (theta.clone(), theta.clone());
                up[i] += 1e-5;
                down[i] -= 1e-5;
                (loss(&up) - loss(&down)) / 2e-5
            })
            .collect();
        near_gradient("custom", &backward(&circuits, &theta, &dy), &want, 1e-8);
    }
}

/// The fast way against the gate-by-gate way, which an ansatz that only looks different takes.
#[test]
fn fast_and_general_ways_agree() {
    let mut general = Ansatz::hqc_tf();
    general.after.push(layer("x", QubitPattern::All));
    general.after.push(general.after[0].clone());
    for qubits in 1..=10 {
        for (blocks, readout) in [
            (1, Readout::Real),
            (1, Readout::Probability),
            (3, Readout::Real),
            (3, Readout::Probability),
        ] {
            for used in [1 << qubits, (1usize << qubits) - 1, (1 << (qubits - 1)) + 1] {
                let slow = Circuits {
                    count: 6,
                    ansatz: general.clone(),
                    used,
                    order: Order::Columns { positions: 2 },
                    scale: 0.7,
                    offset: -0.2,
                    ..one(qubits, blocks, readout)
                };
                let fast = Circuits {
                    ansatz: Ansatz::hqc_tf(),
                    ..slow.clone()
                };
                let theta = angles(fast.count * fast.angles());
                let dy = angles(fast.count * fast.used);
                let what = format!("{qubits} qubits, {blocks} blocks, {readout:?}, {used} used");
                let want = forward(&slow, &theta);
                near(&what, &forward(&fast, &theta), &want, 1e-13);
                near(&what, &forward(&fast, &of::<f32>(&theta)), &want, 1e-6);
                let want = backward(&slow, &theta, &dy);
                near_gradient(&what, &backward(&fast, &theta, &dy), &want, 1e-12);
                let got = backward(&fast, &of::<f32>(&theta), &of::<f32>(&dy));
                near_gradient(&what, &got, &want, 5e-6);
            }
        }
    }
}
