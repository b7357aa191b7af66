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
    OpInfo::of::<Abs>(),
    OpInfo::of::<AbsGrad>(),
    OpInfo::of::<Adam>(),
    OpInfo::of::<Add>(),
    OpInfo::of::<Affine>(),
    OpInfo::of::<Argmax>(),
    OpInfo::of::<AvgPool2d>(),
    OpInfo::of::<AvgPool2dGrad>(),
    OpInfo::of::<BatchNorm>(),
    OpInfo::of::<BatchNormGradInput>(),
    OpInfo::of::<BatchNormSums>(),
    OpInfo::of::<BatchStats>(),
    OpInfo::of::<BceWithLogits>(),
    OpInfo::of::<ChannelSum>(),
    OpInfo::of::<Circuit>(),
    OpInfo::of::<CircuitGrad>(),
    OpInfo::of::<Concat>(),
    OpInfo::leaf::<Constant>(),
    OpInfo::of::<Conv2d>(),
    OpInfo::of::<Conv2dGradWeight>(),
    OpInfo::of::<ConvTranspose2d>(),
    OpInfo::of::<Crop2d>(),
    OpInfo::of::<CrossEntropy>(),
    OpInfo::of::<CrossEntropyGrad>(),
    OpInfo::of::<Displace>(),
    OpInfo::of::<Div>(),
    OpInfo::of::<Dropout>(),
    OpInfo::of::<Exp>(),
    OpInfo::of::<Expand>(),
    OpInfo::of::<Gelu>(),
    OpInfo::of::<GeluGrad>(),
    OpInfo::of::<GroupNorm>(),
    OpInfo::of::<GroupNormGradInput>(),
    OpInfo::of::<GroupNormSums>(),
    OpInfo::of::<GroupStats>(),
    OpInfo::leaf::<Input>(),
    OpInfo::of::<LayerNorm>(),
    OpInfo::of::<LayerNormGradInput>(),
    OpInfo::of::<LayerNormGradParameters>(),
    OpInfo::of::<Lpp>(),
    OpInfo::of::<LppGradParameters>(),
    OpInfo::of::<LppGradProbability>(),
    OpInfo::of::<Matmul>(),
    OpInfo::of::<MaxPool2d>(),
    OpInfo::of::<MaxPool2dGrad>(),
    OpInfo::of::<Mul>(),
    OpInfo::of::<Pad2d>(),
    OpInfo::leaf::<Parameter>(),
    OpInfo::of::<Permute>(),
    OpInfo::of::<ReduceSum>(),
    OpInfo::of::<Relayout>(),
    OpInfo::of::<Relu>(),
    OpInfo::of::<ReluGrad>(),
    OpInfo::of::<Reshape>(),
    OpInfo::of::<Resize2d>(),
    OpInfo::of::<Resize2dGrad>(),
    OpInfo::of::<RunningAverage>(),
    OpInfo::of::<Sgd>(),
    OpInfo::of::<Sigmoid>(),
    OpInfo::of::<Slice>(),
    OpInfo::of::<Softmax>(),
    OpInfo::of::<SoftmaxGrad>(),
    OpInfo::of::<StackRows>(),
    OpInfo::of::<Standardise>(),
    OpInfo::of::<StandardiseGrad>(),
    OpInfo::of::<Sub>(),
    OpInfo::of::<TakeRow>(),
    OpInfo::of::<Threshold>(),
    OpInfo::of::<WeightMap>(),
    OpInfo::of::<WeightMapGrad>(),
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
