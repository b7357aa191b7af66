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

use hqcc_compiler::graph::{self, Capabilities, Named};
use hqcc_compiler::ops;

use call::Function;
use real::Real;

/// What the kernels for several nodes enable the executor to do.
pub fn capabilities() -> Capabilities {
    joint::capabilities(&joint::joint_kernels::<f32>())
}

/// The function of an op by its name; `None` for leaves, which the engine fills itself, and for unknown names.
pub fn function<T: Real>(op: &str) -> Option<Function<T>> {
    Some(match op {
        ops::Abs::NAME => element_wise::abs,
        ops::AbsGrad::NAME => element_wise::abs_grad,
        ops::Adam::NAME => optimiser::adam,
        ops::Add::NAME => element_wise::add,
        ops::Affine::NAME => element_wise::affine,
        ops::Argmax::NAME => cross_entropy::argmax,
        ops::AvgPool2d::NAME => avg_pool2d::avg_pool2d,
        ops::AvgPool2dGrad::NAME => avg_pool2d::avg_pool2d_grad,
        ops::BatchNorm::NAME => batch_norm::batch_norm,
        ops::BatchNormGradInput::NAME => batch_norm::batch_norm_grad_input,
        ops::BatchNormSums::NAME => batch_norm::batch_norm_sums,
        ops::BatchStats::NAME => batch_norm::batch_stats,
        ops::BceWithLogits::NAME => element_wise::bce_with_logits,
        ops::ChannelSum::NAME => reduce_sum::channel_sum,
        ops::Circuit::NAME => circuit::circuit,
        ops::CircuitGrad::NAME => circuit::circuit_grad,
        ops::Concat::NAME => rearrange::concat,
        graph::Constant::NAME => element_wise::constant,
        ops::Conv2d::NAME => convolution::conv2d,
        ops::Conv2dGradWeight::NAME => convolution::conv2d_grad_weight,
        ops::ConvTranspose2d::NAME => convolution::conv_transpose2d,
        ops::Crop2d::NAME => rearrange::crop2d,
        ops::CrossEntropy::NAME => cross_entropy::cross_entropy,
        ops::CrossEntropyGrad::NAME => cross_entropy::cross_entropy_grad,
        ops::Displace::NAME => displace::displace,
        ops::Div::NAME => element_wise::div,
        ops::Dropout::NAME => dropout::dropout,
        ops::Exp::NAME => element_wise::exp,
        ops::Expand::NAME => element_wise::expand,
        ops::Gelu::NAME => gelu::gelu,
        ops::GeluGrad::NAME => gelu::gelu_grad,
        ops::GroupNorm::NAME => group_norm::group_norm,
        ops::GroupNormGradInput::NAME => group_norm::group_norm_grad_input,
        ops::GroupNormSums::NAME => group_norm::group_norm_sums,
        ops::GroupStats::NAME => group_norm::group_stats,
        ops::LayerNorm::NAME => layer_norm::layer_norm,
        ops::LayerNormGradInput::NAME => layer_norm::layer_norm_grad_input,
        ops::LayerNormGradParameters::NAME => layer_norm::layer_norm_grad_parameters,
        ops::Lpp::NAME => lpp::lpp,
        ops::LppGradParameters::NAME => lpp::lpp_grad_parameters,
        ops::LppGradProbability::NAME => lpp::lpp_grad_probability,
        ops::Matmul::NAME => matmul::matmul,
        ops::MaxPool2d::NAME => max_pool2d::max_pool2d,
        ops::MaxPool2dGrad::NAME => max_pool2d::max_pool2d_grad,
        ops::Mul::NAME => element_wise::mul,
        ops::Pad2d::NAME => rearrange::pad2d,
        ops::Permute::NAME => permute::permute,
        ops::ReduceSum::NAME => reduce_sum::reduce_sum,
        ops::Relayout::NAME => relayout::relayout,
        ops::Relu::NAME => element_wise::relu,
        ops::ReluGrad::NAME => element_wise::relu_grad,
        ops::Reshape::NAME => rearrange::reshape,
        ops::Resize2d::NAME => resize2d::resize2d,
        ops::Resize2dGrad::NAME => resize2d::resize2d_grad,
        ops::RunningAverage::NAME => batch_norm::running_average,
        ops::Sgd::NAME => optimiser::sgd,
        ops::Sigmoid::NAME => element_wise::sigmoid,
        ops::Slice::NAME => rearrange::slice,
        ops::Softmax::NAME => softmax::softmax,
        ops::SoftmaxGrad::NAME => softmax::softmax_grad,
        ops::StackRows::NAME => batch_norm::stack_rows,
        ops::Standardise::NAME => standardise::standardise,
        ops::StandardiseGrad::NAME => standardise::standardise_grad,
        ops::Sub::NAME => element_wise::sub,
        ops::TakeRow::NAME => batch_norm::take_row,
        ops::Threshold::NAME => element_wise::threshold,
        ops::WeightMap::NAME => weight_map::weight_map,
        ops::WeightMapGrad::NAME => weight_map::weight_map_grad,
        _ => return None,
    })
}
