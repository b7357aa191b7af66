//! The operations. One file an op (a group of files for an op with its gradients), one line in [`OPS`]; what a
//! person can call in a model stands in [`LAYERS`].

mod abs;
mod adam;
mod affine;
mod arithmetic;
mod avg_pool2d;
mod batch_norm;
mod bce_with_logits;
mod circuit;
mod concat;
mod conv2d;
mod cross_entropy;
mod displace;
mod dropout;
mod exp;
mod expand;
mod gate_kernels;
pub mod gelu;
mod gradient;
mod group_norm;
mod info;
mod init;
pub mod layer;
mod layer_norm;
mod lpp;
mod matmul;
mod max_pool2d;
mod pad2d;
mod permute;
mod reduce_sum;
mod relayout;
mod relu;
mod reshape;
mod resize2d;
mod running_average;
mod sgd;
mod sigmoid;
mod softmax;
mod standardise;
mod stored;
mod table;
mod threshold;
mod weight_map;

use std::sync::Arc;

pub use abs::{Abs, AbsGrad};
pub use adam::Adam;
pub use affine::Affine;
pub use arithmetic::{Add, Div, Mul, Sub, scaled};
pub use avg_pool2d::{AvgPool2d, AvgPool2dGrad};
pub use batch_norm::{
    BatchNorm, BatchNormGradInput, BatchNormSums, BatchStats, StackRows, TakeRow,
};
pub use bce_with_logits::BceWithLogits;
pub use circuit::{Circuit, CircuitGrad, Readout};
pub use concat::{Concat, Slice};
pub use conv2d::{ChannelSum, Conv2d, Conv2dGradWeight, ConvTranspose2d};
pub use cross_entropy::{Argmax, CrossEntropy, CrossEntropyGrad};
pub use displace::{Displace, MapAxis};
pub use dropout::{DROPOUT_KEY, Dropout};
pub use exp::Exp;
pub use expand::Expand;
pub use gelu::{Gelu, GeluGrad};
pub use group_norm::{GroupNorm, GroupNormGradInput, GroupNormSums, GroupStats};
pub use info::OpInfo;
pub use layer::{Builder, LayerInfo};
pub use layer_norm::{LayerNorm, LayerNormGradInput, LayerNormGradParameters};
pub use lpp::{Lpp, LppGradParameters, LppGradProbability};
pub use matmul::Matmul;
pub use max_pool2d::{MaxPool2d, MaxPool2dGrad};
pub use pad2d::{Crop2d, Pad2d};
pub use permute::Permute;
pub use reduce_sum::ReduceSum;
pub use relayout::Relayout;
pub use relu::{Relu, ReluGrad};
pub use reshape::Reshape;
pub use resize2d::{Resize2d, Resize2dGrad, ResizeMode};
pub use running_average::RunningAverage;
pub use sgd::Sgd;
pub use sigmoid::Sigmoid;
pub use softmax::{Softmax, SoftmaxGrad};
pub use standardise::{Standardise, StandardiseGrad};
pub use threshold::Threshold;
pub use weight_map::{CircuitOrder, WeightMap, WeightMapGrad};

use crate::graph::{Constant, Gradient, Input, Op, Parameter};
use crate::onnx::ToOnnx;
use crate::plan::Lower;

/// Every op, by name.
pub const OPS: &[OpInfo] = &[
    OpInfo::of::<Abs>("abs", "|x|"),
    OpInfo::of::<AbsGrad>("abs_grad", "sign(x) dy"),
    OpInfo::of::<Adam>(
        "adam",
        "one step of Adam or AdamW on a parameter and its two moments",
    ),
    OpInfo::of::<Add>("add", "a + b"),
    OpInfo::of::<Affine>("affine", "scale * x + offset"),
    OpInfo::of::<Argmax>("argmax", "the channel of the largest value of each pixel"),
    OpInfo::of::<AvgPool2d>("avg_pool2d", "mean of each window"),
    OpInfo::of::<AvgPool2dGrad>(
        "avg_pool2d_grad",
        "gradient of avg_pool2d: in equal shares to the pixels of each window",
    ),
    OpInfo::of::<BatchNorm>(
        "batch_norm",
        "normalisation by given channel statistics, scaled and shifted",
    ),
    OpInfo::of::<BatchNormGradInput>(
        "batch_norm_grad_input",
        "gradient of batch_norm and its statistics",
    ),
    OpInfo::of::<BatchNormSums>(
        "batch_norm_sums",
        "channel sums of dy and of dy times the normalised input",
    ),
    OpInfo::of::<BatchStats>("batch_stats", "mean and biased variance of each channel"),
    OpInfo::of::<BceWithLogits>(
        "bce_with_logits",
        "binary cross-entropy of logits, element by element",
    ),
    OpInfo::of::<ChannelSum>("channel_sum", "sum of each channel"),
    OpInfo::of::<Circuit>(
        "circuit",
        "amplitudes or probabilities of one variational circuit per row of angles",
    ),
    OpInfo::of::<CircuitGrad>("circuit_grad", "adjoint differentiation of circuit"),
    OpInfo::of::<Concat>("concat", "feature maps side by side along the channels"),
    OpInfo::leaf::<Constant>("constant", "a tensor of one value"),
    OpInfo::of::<Conv2d>("conv2d", "cross-correlation of a feature map with a weight"),
    OpInfo::of::<Conv2dGradWeight>("conv2d_grad_weight", "gradient of conv2d for its weight"),
    OpInfo::of::<ConvTranspose2d>(
        "conv_transpose2d",
        "transposed convolution; the data gradient of conv2d",
    ),
    OpInfo::of::<Crop2d>("crop2d", "rows and columns cut off a feature map"),
    OpInfo::of::<CrossEntropy>(
        "cross_entropy",
        "cross-entropy of class logits, pixel by pixel",
    ),
    OpInfo::of::<CrossEntropyGrad>(
        "cross_entropy_grad",
        "gradient of cross_entropy for its logits",
    ),
    OpInfo::of::<Displace>(
        "displace",
        "channel groups moved along an axis, zeros behind them",
    ),
    OpInfo::of::<Div>("div", "a / b"),
    OpInfo::of::<Dropout>(
        "dropout",
        "a random share of the elements set to 0, the others scaled up",
    ),
    OpInfo::of::<Exp>("exp", "e to the power x"),
    OpInfo::of::<Expand>("expand", "axes of extent one repeated"),
    OpInfo::of::<Gelu>("gelu", "x P(x), P the distribution function of the normal"),
    OpInfo::of::<GeluGrad>("gelu_grad", "gradient of gelu"),
    OpInfo::of::<GroupNorm>(
        "group_norm",
        "normalisation by given statistics of channel groups, scaled and shifted",
    ),
    OpInfo::of::<GroupNormGradInput>(
        "group_norm_grad_input",
        "gradient of group_norm and its statistics",
    ),
    OpInfo::of::<GroupNormSums>(
        "group_norm_sums",
        "sample's channel sums of dy and of dy times the normalised input",
    ),
    OpInfo::of::<GroupStats>(
        "group_stats",
        "mean and biased variance of each channel group",
    ),
    OpInfo::leaf::<Input>("input", "a tensor that the host hands in at each step"),
    OpInfo::of::<LayerNorm>("layer_norm", "each row by its own mean and variance"),
    OpInfo::of::<LayerNormGradInput>(
        "layer_norm_grad_input",
        "gradient of layer_norm for its input",
    ),
    OpInfo::of::<LayerNormGradParameters>(
        "layer_norm_grad_parameters",
        "gradient of layer_norm for its bias and weight",
    ),
    OpInfo::of::<Lpp>(
        "lpp",
        "learned linear map of a probability and the bits of its index",
    ),
    OpInfo::of::<LppGradParameters>(
        "lpp_grad_parameters",
        "gradient of lpp for its weights and bias",
    ),
    OpInfo::of::<LppGradProbability>(
        "lpp_grad_probability",
        "gradient of lpp for the probabilities",
    ),
    OpInfo::of::<Matmul>("matmul", "matrix product over the last two axes"),
    OpInfo::of::<MaxPool2d>("max_pool2d", "largest value of each window"),
    OpInfo::of::<MaxPool2dGrad>(
        "max_pool2d_grad",
        "gradient of max_pool2d: to the first maximum of each window",
    ),
    OpInfo::of::<Mul>("mul", "a * b"),
    OpInfo::of::<Pad2d>("pad2d", "zeros around a feature map"),
    OpInfo::leaf::<Parameter>("parameter", "a tensor kept between steps"),
    OpInfo::of::<Permute>("permute", "axes in another order"),
    OpInfo::of::<ReduceSum>("reduce_sum", "sum over axes, which stay with extent one"),
    OpInfo::of::<Relayout>(
        "relayout",
        "the same values, counted in logical order, as another shape and layout",
    ),
    OpInfo::of::<Relu>("relu", "max(x, 0)"),
    OpInfo::of::<ReluGrad>("relu_grad", "0 where x <= 0, else dy"),
    OpInfo::of::<Reshape>("reshape", "the same bytes under another shape"),
    OpInfo::of::<Resize2d>(
        "resize2d",
        "bilinear or nearest resampling of a feature map",
    ),
    OpInfo::of::<Resize2dGrad>("resize2d_grad", "gradient of resize2d"),
    OpInfo::of::<RunningAverage>(
        "running_average",
        "exponential moving average of a row of batch statistics",
    ),
    OpInfo::of::<Sgd>(
        "sgd",
        "one step of stochastic gradient descent with momentum",
    ),
    OpInfo::of::<Sigmoid>("sigmoid", "1 / (1 + exp(-x))"),
    OpInfo::of::<Slice>("slice", "a range of channels"),
    OpInfo::of::<Softmax>("softmax", "exponentials of each row, divided by their sum"),
    OpInfo::of::<SoftmaxGrad>("softmax_grad", "gradient of softmax"),
    OpInfo::of::<StackRows>("stack_rows", "two vectors as the rows of a matrix"),
    OpInfo::of::<Standardise>(
        "standardise",
        "a weight's output channels by their own mean and variance",
    ),
    OpInfo::of::<StandardiseGrad>("standardise_grad", "gradient of standardise"),
    OpInfo::of::<Sub>("sub", "a - b"),
    OpInfo::of::<TakeRow>("take_row", "one row of a matrix"),
    OpInfo::of::<Threshold>("threshold", "1 where x > limit, else 0"),
    OpInfo::of::<WeightMap>("weight_map", "circuit outputs arranged as a layer's weight"),
    OpInfo::of::<WeightMapGrad>(
        "weight_map_grad",
        "gradient of weight_map: a weight's entries back to circuit outputs",
    ),
];

/// Every layer function of the language, by name.
pub const LAYERS: &[LayerInfo] = &[
    abs::LAYER,
    arithmetic::ADD,
    table::LAYER,
    avg_pool2d::LAYER,
    batch_norm::LAYER,
    concat::CHUNK,
    concat::LAYER,
    conv2d::CONV,
    conv2d::CONV_TRANSPOSE,
    displace::LAYER,
    arithmetic::DIV,
    dropout::LAYER,
    gelu::LAYER,
    group_norm::LAYER,
    layer_norm::LAYER,
    matmul::LINEAR,
    matmul::MATMUL,
    max_pool2d::LAYER,
    permute::MERGE_HEADS,
    arithmetic::MUL,
    pad2d::PAD,
    pad2d::PAD_TO,
    relu::LAYER,
    concat::REPEAT_CHANNELS,
    resize2d::LAYER,
    arithmetic::SCALE,
    sigmoid::LAYER,
    concat::SLICE,
    softmax::LAYER,
    permute::SPLIT_HEADS,
    arithmetic::SUB,
    reshape::TO_IMAGE,
    reshape::TO_TOKENS,
];

/// The row of an op; `None` for an op that is not in the table.
fn row(name: &str) -> Option<&'static OpInfo> {
    let at = OPS.binary_search_by(|info| info.name.cmp(name)).ok()?;
    Some(&OPS[at])
}

/// The gradient rule of an op; `None` for leaves and for ops that are not in [`OPS`].
pub fn gradient(op: &dyn Op) -> Option<&dyn Gradient> {
    row(op.name()).and_then(|info| (info.gradient)(op))
}

/// How an op becomes kernels; `None` for leaves and for ops that are not in [`OPS`].
pub fn lowering(op: &dyn Op) -> Option<&dyn Lower> {
    row(op.name()).and_then(|info| (info.lower)(op))
}

/// How an op is written as ONNX; `None` for leaves and for ops that are not in [`OPS`].
pub fn onnx(op: &dyn Op) -> Option<&dyn ToOnnx> {
    row(op.name()).and_then(|info| (info.onnx)(op))
}

/// Makes an op from its name and attributes.
///
/// # Errors
/// An unknown name, or attributes that the op does not have.
pub fn read(name: &str, attributes: serde_json::Value) -> Result<Arc<dyn Op>, String> {
    let info = row(name).ok_or_else(|| format!("there is no op `{name}`"))?;
    (info.read)(attributes).map_err(|error| format!("op `{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(OPS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
