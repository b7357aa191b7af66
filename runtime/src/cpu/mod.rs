//! The native executor: every op as a function on slices, generic over the element type.
//!
//! [`CpuExecutor::plain`] runs every node by itself in memory of its own, which makes it the reference for what joins nodes
//! and shares memory. Images are stored as `[N, H, W, C]`, convolution weights as `[KH, KW, I, O]`. Work is cut by shapes alone, so that results do not depend on
//! the number of threads.

mod avg_pool2d;
mod batch_norm;
mod broadcast;
pub mod call;
pub mod circuit;
pub mod conv2d;
pub mod conv2d_grad_weight;
pub mod conv_kernel;
#[cfg(test)]
mod conv_reference;
pub mod conv_shape;
mod convolution;
mod cross_entropy;
pub mod depthwise;
mod displace;
mod dropout;
mod element_wise;
mod engine;
mod functions;
mod gelu;
mod group_norm;
mod joint;
mod lanes;
mod layer_norm;
pub mod lpp;
mod matmul;
mod max_pool2d;
mod optimiser;
mod parallel;
mod parts;
mod per_channel;
mod permute;
pub mod pointwise;
mod prepared;
pub mod real;
mod rearrange;
mod reduce_sum;
mod relayout;
mod resize2d;
mod scratch;
mod shared;
pub mod simd;
pub mod single_output;
mod softmax;
mod spread;
mod standardise;
pub mod weight_map;
pub mod winograd;
mod winograd_kernel;
pub mod winograd_weight;

pub use engine::{CpuExecutor, OpTime};

use hqcc_compiler::graph::Capabilities;

use call::Function;
use real::Real;

/// What the kernels for several nodes enable the executor to do.
pub fn capabilities() -> Capabilities {
    joint::capabilities(&joint::joint_kernels::<f32>())
}

/// The function of an op by its name; `None` for leaves, which the engine fills itself, and for unknown names.
pub fn function<T: Real>(op: &str) -> Option<Function<T>> {
    Some(match op {
        "abs" => element_wise::abs,
        "abs_grad" => element_wise::abs_grad,
        "adam" => optimiser::adam,
        "add" => element_wise::add,
        "affine" => element_wise::affine,
        "argmax" => cross_entropy::argmax,
        "avg_pool2d" => avg_pool2d::avg_pool2d,
        "avg_pool2d_grad" => avg_pool2d::avg_pool2d_grad,
        "batch_norm" => batch_norm::batch_norm,
        "batch_norm_grad_input" => batch_norm::batch_norm_grad_input,
        "batch_norm_sums" => batch_norm::batch_norm_sums,
        "batch_stats" => batch_norm::batch_stats,
        "bce_with_logits" => element_wise::bce_with_logits,
        "channel_sum" => reduce_sum::channel_sum,
        "circuit" => circuit::circuit,
        "circuit_grad" => circuit::circuit_grad,
        "concat" => rearrange::concat,
        "constant" => element_wise::constant,
        "conv2d" => convolution::conv2d,
        "conv2d_grad_weight" => convolution::conv2d_grad_weight,
        "conv_transpose2d" => convolution::conv_transpose2d,
        "crop2d" => rearrange::crop2d,
        "cross_entropy" => cross_entropy::cross_entropy,
        "cross_entropy_grad" => cross_entropy::cross_entropy_grad,
        "displace" => displace::displace,
        "div" => element_wise::div,
        "dropout" => dropout::dropout,
        "exp" => element_wise::exp,
        "expand" => element_wise::expand,
        "gelu" => gelu::gelu,
        "gelu_grad" => gelu::gelu_grad,
        "group_norm" => group_norm::group_norm,
        "group_norm_grad_input" => group_norm::group_norm_grad_input,
        "group_norm_sums" => group_norm::group_norm_sums,
        "group_stats" => group_norm::group_stats,
        "layer_norm" => layer_norm::layer_norm,
        "layer_norm_grad_input" => layer_norm::layer_norm_grad_input,
        "layer_norm_grad_parameters" => layer_norm::layer_norm_grad_parameters,
        "lpp" => lpp::lpp,
        "lpp_grad_parameters" => lpp::lpp_grad_parameters,
        "lpp_grad_probability" => lpp::lpp_grad_probability,
        "matmul" => matmul::matmul,
        "max_pool2d" => max_pool2d::max_pool2d,
        "max_pool2d_grad" => max_pool2d::max_pool2d_grad,
        "mul" => element_wise::mul,
        "pad2d" => rearrange::pad2d,
        "permute" => permute::permute,
        "reduce_sum" => reduce_sum::reduce_sum,
        "relayout" => relayout::relayout,
        "relu" => element_wise::relu,
        "relu_grad" => element_wise::relu_grad,
        "reshape" => rearrange::reshape,
        "resize2d" => resize2d::resize2d,
        "resize2d_grad" => resize2d::resize2d_grad,
        "running_average" => batch_norm::running_average,
        "sgd" => optimiser::sgd,
        "sigmoid" => element_wise::sigmoid,
        "slice" => rearrange::slice,
        "softmax" => softmax::softmax,
        "softmax_grad" => softmax::softmax_grad,
        "stack_rows" => batch_norm::stack_rows,
        "standardise" => standardise::standardise,
        "standardise_grad" => standardise::standardise_grad,
        "sub" => element_wise::sub,
        "take_row" => batch_norm::take_row,
        "threshold" => element_wise::threshold,
        "weight_map" => weight_map::weight_map,
        "weight_map_grad" => weight_map::weight_map_grad,
        _ => return None,
    })
}
