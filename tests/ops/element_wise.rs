//! Cases of the element-wise ops.

use hqcc_compiler::graph::Op;
use hqcc_compiler::ops::{
    Abs, AbsGrad, Add, Affine, BceWithLogits, Div, Exp, Expand, Gelu, GeluGrad, Mul, Relu,
    ReluGrad, Sigmoid, Sub, Threshold,
};
use hqcc_compiler::tensor_type::{Layout, TensorType};
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

/// A type of any kind.
fn any_type(rng: &mut Rng) -> TensorType {
    let shape = [rng.int(1, 3), rng.int(1, 9), rng.int(1, 5), rng.int(1, 17)];
    match rng.int(0, 3) {
        0 => TensorType::image(shape),
        1 => TensorType::kernel(shape),
        2 => TensorType::plain(shape[..rng.int(1, 4)].to_vec()),
        _ => TensorType::plain([rng.int(1, 70_000)]),
    }
}

/// Two types that broadcast against each other.
fn two_types(rng: &mut Rng) -> (TensorType, TensorType) {
    let full = any_type(rng);
    let mut sides = [full.clone(), full];
    match rng.int(0, 3) {
        0 => {}
        1 => sides[rng.int(0, 1)] = TensorType::scalar(),
        _ => {
            for axis in 0..sides[0].rank() {
                if rng.coin() {
                    sides[rng.int(0, 1)].shape[axis] = 1;
                }
            }
            if sides[0].layout == Layout::Plain && rng.coin() {
                let cut = rng.int(0, sides[0].rank() - 1);
                sides[1].shape.drain(..cut);
            }
        }
    }
    let [a, b] = sides;
    if rng.coin() { (a, b) } else { (b, a) }
}

fn binary(rng: &mut Rng, op: impl Op) -> Case {
    let (a, b) = two_types(rng);
    let args = vec![Arg::unit(rng, a), Arg::uniform(rng, b, 0.5, 2.0)];
    Case::new(op, args, Tolerance::Close).wrt(&[0, 1])
}

pub fn add(rng: &mut Rng) -> Case {
    binary(rng, Add)
}

pub fn sub(rng: &mut Rng) -> Case {
    binary(rng, Sub)
}

pub fn mul(rng: &mut Rng) -> Case {
    binary(rng, Mul)
}

pub fn div(rng: &mut Rng) -> Case {
    binary(rng, Div)
}

pub fn affine(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let op = Affine {
        scale: rng.real(-2.0, 2.0),
        offset: rng.real(-2.0, 2.0),
    };
    Case::new(op, vec![Arg::unit(rng, ty)], Tolerance::Close).wrt(&[0])
}

pub fn exp(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    Case::new(
        Exp,
        vec![Arg::uniform(rng, ty, -4.0, 4.0)],
        Tolerance::Close,
    )
    .wrt(&[0])
}

pub fn sigmoid(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let range = rng.pick(&[3.0, 100.0]);
    Case::new(
        Sigmoid,
        vec![Arg::uniform(rng, ty, -range, range)],
        Tolerance::Close,
    )
    .wrt(&[0])
}

pub fn threshold(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let limit = rng.pick(&[0.0, 0.5, -0.25]);
    Case::new(
        Threshold { limit },
        vec![Arg::apart(rng, ty)],
        Tolerance::Exact,
    )
}

pub fn relu(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    Case::new(Relu, vec![Arg::apart(rng, ty)], Tolerance::Exact).wrt(&[0])
}

pub fn relu_grad(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let mut x = Arg::apart(rng, ty.clone());
    x.values[0] = 0.0;
    Case::new(ReluGrad, vec![x, Arg::unit(rng, ty)], Tolerance::Exact)
}

pub fn abs(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    Case::new(Abs, vec![Arg::apart(rng, ty)], Tolerance::Exact).wrt(&[0])
}

pub fn abs_grad(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let mut x = Arg::apart(rng, ty.clone());
    x.values[0] = 0.0;
    Case::new(AbsGrad, vec![x, Arg::unit(rng, ty)], Tolerance::Exact)
}

pub fn gelu(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let range = rng.pick(&[1.5, 4.0, 15.0]);
    Case::new(
        Gelu,
        vec![Arg::uniform(rng, ty, -range, range)],
        Tolerance::Close,
    )
    .wrt(&[0])
}

pub fn gelu_grad(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let range = rng.pick(&[1.5, 4.0, 15.0]);
    let args = vec![
        Arg::uniform(rng, ty.clone(), -range, range),
        Arg::unit(rng, ty),
    ];
    Case::new(GeluGrad, args, Tolerance::Close)
}

pub fn expand(rng: &mut Rng) -> Case {
    let to = any_type(rng);
    let mut from = to.clone();
    for extent in &mut from.shape {
        if rng.coin() {
            *extent = 1;
        }
    }
    Case::new(Expand { to }, vec![Arg::unit(rng, from)], Tolerance::Exact).wrt(&[0])
}

pub fn bce_with_logits(rng: &mut Rng) -> Case {
    let ty = any_type(rng);
    let range = rng.pick(&[2.0, 60.0]);
    let mut x = Arg::uniform(rng, ty.clone(), -range, range);
    // The kink at 0 is one of the formula, not of the function, but central differences must not straddle it.
    x.values
        .iter_mut()
        .filter(|v| v.abs() < 1e-3)
        .for_each(|v| *v = 0.5);
    Case::new(
        BceWithLogits,
        vec![x, Arg::uniform(rng, ty, 0.0, 1.0)],
        Tolerance::Close,
    )
    .wrt(&[0])
}
