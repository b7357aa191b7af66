//! `affine`: a trained straight line through the probabilities, which tells what the index bits of `lpp` are good for.

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
