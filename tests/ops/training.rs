//! Cases of the optimisers, the losses over classes, and the matrix product.

use hqcc_compiler::ops::{Adam, Argmax, CrossEntropy, CrossEntropyGrad, Matmul, Sgd};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

fn weight(rng: &mut Rng) -> TensorType {
    match rng.int(0, 2) {
        0 => TensorType::plain([rng.int(1, 40_000)]),
        1 => TensorType::plain([rng.int(1, 9), rng.int(1, 9)]),
        _ => TensorType::kernel([rng.int(1, 9), rng.int(1, 9), 3, 3]),
    }
}

pub fn adam(rng: &mut Rng) -> Case {
    let ty = weight(rng);
    let t = rng.int(1, 50) as i32;
    let op = Adam {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: rng.pick(&[0.0, 5e-4, 0.1]),
        decoupled: rng.coin(),
    };
    let mut args = vec![
        Arg::unit(rng, ty.clone()),
        Arg::unit(rng, ty.clone()),
        Arg::uniform(rng, ty.clone(), 0.0, 1.0),
    ];
    args.push(Arg::unit(rng, ty));
    let schedule = [
        1e-2,
        1.0 / (1.0 - 0.9f64.powi(t)),
        1.0 / (1.0 - 0.999f64.powi(t)).sqrt(),
    ];
    args.push(Arg {
        ty: TensorType::plain([3]),
        values: schedule.map(|v| f64::from(v as f32)).to_vec(),
    });
    Case::new(op, args, Tolerance::Close)
}

pub fn sgd(rng: &mut Rng) -> Case {
    let ty = weight(rng);
    let op = Sgd {
        momentum: rng.pick(&[0.0, 0.9]),
        weight_decay: rng.pick(&[0.0, 0.1]),
        nesterov: rng.coin(),
    };
    let mut args = vec![
        Arg::unit(rng, ty.clone()),
        Arg::unit(rng, ty.clone()),
        Arg::unit(rng, ty),
    ];
    args.push(Arg {
        ty: TensorType::plain([3]),
        values: vec![0.125, 1.0, 1.0],
    });
    Case::new(op, args, Tolerance::Close)
}

fn logits(rng: &mut Rng) -> (usize, TensorType, TensorType) {
    let [n, k, h, w] = [rng.int(1, 3), rng.int(1, 6), rng.int(1, 9), rng.int(1, 9)];
    (
        k,
        TensorType::image([n, k, h, w]),
        TensorType::image([n, 1, h, w]),
    )
}

pub fn cross_entropy(rng: &mut Rng) -> Case {
    let (k, x, t) = logits(rng);
    let range = rng.pick(&[2.0, 90.0]);
    let args = vec![Arg::uniform(rng, x, -range, range), Arg::classes(rng, t, k)];
    Case::new(CrossEntropy, args, Tolerance::Close).wrt(&[0])
}

pub fn cross_entropy_grad(rng: &mut Rng) -> Case {
    let (k, x, t) = logits(rng);
    let args = vec![
        Arg::uniform(rng, x, -3.0, 3.0),
        Arg::classes(rng, t.clone(), k),
        Arg::unit(rng, t),
    ];
    Case::new(CrossEntropyGrad, args, Tolerance::Close)
}

pub fn argmax(rng: &mut Rng) -> Case {
    let (_, x, _) = logits(rng);
    Case::new(Argmax, vec![Arg::classes(rng, x, 3)], Tolerance::Exact)
}

pub fn matmul(rng: &mut Rng) -> Case {
    let [m, k, n] = [0; 3].map(|_| rng.pick(&[1, 2, 5, 16, 33, 70]));
    let lead: Vec<usize> = (0..rng.int(0, 2)).map(|_| rng.int(1, 3)).collect();
    let op = Matmul {
        transpose_a: rng.coin(),
        transpose_b: rng.coin(),
    };
    let side = |swapped: bool, rows: usize, columns: usize| {
        let mut shape = lead.clone();
        shape.extend(if swapped {
            [columns, rows]
        } else {
            [rows, columns]
        });
        TensorType::plain(shape)
    };
    let (a, b) = (side(op.transpose_a, m, k), side(op.transpose_b, k, n));
    let args = vec![Arg::unit(rng, a), Arg::unit(rng, b)];
    Case::new(op, args, Tolerance::Accumulated).wrt(&[0, 1])
}
