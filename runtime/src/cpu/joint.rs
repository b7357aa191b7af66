//! Kernels that compute several nodes at once, each with the list of links that it computes. The compiler joins nodes
//! where such a list matches, whatever they are called.

use hqcc_compiler::graph::PatternInput::{Any, Link, Row, Same};
use hqcc_compiler::graph::{Capabilities, Pattern, PatternLink};
use hqcc_compiler::ops;

use super::batch_norm::{batch_norm_relu, masked_batch_norm_grad_input, masked_batch_norm_sums};
use super::call::Function;
use super::group_norm::{group_norm_relu, masked_group_norm_grad_input, masked_group_norm_sums};
use super::matmul::matmul_add;
use super::real::Real;

/// A kernel and the ops it computes. Its function is handed the inputs in the order in which the links first read them.
pub struct JointKernel<T> {
    /// The links.
    pub pattern: Pattern,
    /// What computes them.
    pub function: Function<T>,
}

const BATCH_NORM_RELU: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::BatchNorm>(&[Any(0), Any(1), Any(2), Any(3)]),
        PatternLink::of::<ops::Relu>(&[Link(0)]),
    ],
};

const RELU_GRAD_BATCH_NORM_SUMS: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::ReluGrad>(&[Same(0), Same(1)]),
        PatternLink::of::<ops::BatchNormSums>(&[Any(2), Link(0), Any(3)]),
    ],
};

const RELU_GRAD_BATCH_NORM_GRAD_INPUT: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::ReluGrad>(&[Same(0), Same(1)]),
        PatternLink::of::<ops::BatchNormGradInput>(&[Any(2), Link(0), Any(3), Any(4), Any(5)]),
    ],
};

const GROUP_NORM_RELU: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::GroupNorm>(&[Any(0), Any(1), Any(2), Any(3)]),
        PatternLink::of::<ops::Relu>(&[Link(0)]),
    ],
};

const RELU_GRAD_GROUP_NORM_SUMS: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::ReluGrad>(&[Same(0), Same(1)]),
        PatternLink::of::<ops::GroupNormSums>(&[Any(2), Link(0), Any(3)]),
    ],
};

const RELU_GRAD_GROUP_NORM_GRAD_INPUT: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::ReluGrad>(&[Same(0), Same(1)]),
        PatternLink::of::<ops::GroupNormGradInput>(&[Any(2), Link(0), Any(3), Any(4), Any(5)]),
    ],
};

const MATMUL_ADD: Pattern = Pattern {
    links: &[
        PatternLink::of::<ops::Matmul>(&[Any(0), Any(1)]),
        PatternLink::of::<ops::Add>(&[Link(0), Row(2)]),
    ],
};

/// All of them.
pub fn joint_kernels<T: Real>() -> [JointKernel<T>; 7] {
    let kernel = |pattern, function| JointKernel { pattern, function };
    [
        kernel(BATCH_NORM_RELU, batch_norm_relu),
        kernel(RELU_GRAD_BATCH_NORM_SUMS, masked_batch_norm_sums),
        kernel(
            RELU_GRAD_BATCH_NORM_GRAD_INPUT,
            masked_batch_norm_grad_input,
        ),
        kernel(GROUP_NORM_RELU, group_norm_relu),
        kernel(RELU_GRAD_GROUP_NORM_SUMS, masked_group_norm_sums),
        kernel(
            RELU_GRAD_GROUP_NORM_GRAD_INPUT,
            masked_group_norm_grad_input,
        ),
        kernel(MATMUL_ADD, matmul_add),
    ]
}

/// What these kernels enable the executor to do.
pub fn capabilities<T>(kernels: &[JointKernel<T>]) -> Capabilities {
    Capabilities {
        chains: None,
        patterns: kernels.iter().map(|kernel| kernel.pattern).collect(),
    }
}
