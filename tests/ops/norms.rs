//! Cases of softmax, layer normalisation and permutations of axes.

use hqcc_compiler::ops::{
    LayerNorm, LayerNormGradInput, LayerNormGradParameters, Permute, Softmax, SoftmaxGrad,
};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

/// Tokens or a feature map, and the length of a row.
fn rows(rng: &mut Rng) -> (TensorType, usize) {
    let c = rng.pick(&[1, 2, 5, 16, 33, 64, 150, 300, 1100]);
    let [n, t] = [rng.int(1, 3), rng.int(1, 17)];
    let ty = match rng.int(0, 2) {
        0 => TensorType::plain([n, t, c]),
        1 => TensorType::plain([t, c]),
        _ => TensorType::image([n, c, rng.int(1, 4), t]),
    };
    (ty, c)
}

pub fn softmax(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let range = rng.pick(&[1.0, 60.0]);
    let x = Arg::uniform(rng, ty, -range, range);
    Case::new(Softmax, vec![x], Tolerance::Close).wrt(&[0])
}

pub fn softmax_grad(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let y = Arg::uniform(rng, ty.clone(), 0.0, 1.0);
    Case::new(
        SoftmaxGrad,
        vec![y, Arg::unit(rng, ty)],
        Tolerance::Accumulated,
    )
}

/// Rows with a mean that is not 0, and rows of one element or of equal ones.
fn x(rng: &mut Rng, ty: TensorType) -> Arg {
    let offset = rng.pick(&[0.0, 3.0]);
    Arg::uniform(rng, ty, offset - 1.0, offset + 1.0)
}

pub fn layer_norm(rng: &mut Rng) -> Case {
    let (ty, c) = rows(rng);
    let vector = TensorType::plain([c]);
    let op = LayerNorm {
        eps: rng.pick(&[1e-5, 1e-6]),
    };
    let args = vec![
        x(rng, ty),
        Arg::unit(rng, vector.clone()),
        Arg::unit(rng, vector),
    ];
    let case = Case::new(op, args, Tolerance::Accumulated);
    // The root of a variance of 0 is too steep for central differences.
    if c > 4 {
        case.wrt(&[0, 1, 2])
    } else {
        case.wrt(&[1, 2])
    }
}

pub fn layer_norm_grad_input(rng: &mut Rng) -> Case {
    // The gradient of a row of two vanishes but for eps.
    let (ty, c) = loop {
        let (ty, c) = rows(rng);
        if c > 4 {
            break (ty, c);
        }
    };
    let op = LayerNormGradInput { eps: 1e-5 };
    let args = vec![
        x(rng, ty.clone()),
        Arg::unit(rng, ty),
        Arg::unit(rng, TensorType::plain([c])),
    ];
    Case::new(op, args, Tolerance::Accumulated)
}

pub fn layer_norm_grad_parameters(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let op = LayerNormGradParameters { eps: 1e-5 };
    let args = vec![x(rng, ty.clone()), Arg::unit(rng, ty)];
    Case::new(op, args, Tolerance::Accumulated)
}

pub fn permute(rng: &mut Rng) -> Case {
    let axes = rng.pick(&[
        &[0, 2, 1, 3][..],
        &[1, 0],
        &[0, 1, 2],
        &[2, 0, 1],
        &[3, 1, 0, 2],
        &[0, 1, 3, 2],
    ]);
    let shape: Vec<_> = axes.iter().map(|_| rng.int(1, 9)).collect();
    let x = Arg::unit(rng, TensorType::plain(shape));
    let op = Permute {
        axes: axes.to_vec(),
    };
    Case::new(op, vec![x], Tolerance::Exact).wrt(&[0])
}
