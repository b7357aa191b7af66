//! `affine`: a trained scale and offset. It is an ablation of `lpp`: the same without the index bits.

use super::Post;
use crate::graph::Init;
use crate::ops::{Add, Mul, Readout};
use crate::tensor_type::TensorType;

pub(super) const POST: Post = Post {
    name: "affine",
    doc: "y = w p + b, trained: `lpp` without the bits of the index",
    readout: Readout::Probability,
    settings: &[],
    add: |generation, read, _, _| {
        let (one, init) = (TensorType::plain([1]), Init::fan_in(1));
        let w = generation.parameter(one.clone(), init, "affine.weight")?;
        let b = generation.parameter(one, init, "affine.bias")?;
        let scaled = generation.add(Mul, &[read, w], "affine.scaled")?;
        generation.add(Add, &[scaled, b], "affine")
    },
};
