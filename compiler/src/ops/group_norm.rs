//! Group normalisation (Wu and He, arXiv:1803.08494), as four ops that share the statistics of a sample's channel groups.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::batch_norm::TakeRow;
use super::batch_norm::channel_vectors;
use super::layer::{Builder, LayerInfo};
use super::reduce_sum::ReduceSum;
use super::reshape::Reshape;
use crate::graph::{Backward, Gradient, Identity, Init, Named, NodeId, Op, Read, Scalar};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Limits, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `group_stats`: mean and biased variance of each group of neighbouring channels over channels, rows and columns.
///
/// - Shapes: `x: f32[N, C, H, W] -> f32[N, 2, G]`, row 0 of a sample the means, row 1 the variances.
/// - Gradient: none of its own; [`GroupNorm`] differentiates through the statistics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupStats {
    /// Number of groups, which divides the channels.
    pub groups: usize,
}

/// `group_norm`: `y = (x - mean) / sqrt(variance + eps) gamma + beta`; inputs `(x, stats, gamma, beta)`, `stats` those of `x`.
///
/// - Shapes: `x: f32[N, C, H, W]`, `stats: f32[N, 2, G]`, `gamma, beta: f32[C]` `-> f32[N, C, H, W]`.
/// - Gradient: through the statistics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupNorm {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `group_norm_sums`: per sample and channel the sum of `dy` and of `dy (x - mean) / sqrt(variance + eps)`;
/// inputs `(x, dy, stats)`.
///
/// - Shapes: `x, dy: f32[N, C, H, W]`, `stats: f32[N, 2, G]` `-> f32[N, 2, C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupNormSums {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `group_norm_grad_input`: with `r = 1 / sqrt(variance + eps)`, `m = H W C / G` and `xh` the normalised input,
/// `dx = r (dy gamma - sums[0] / m - xh sums[1] / m)`, where the sums over a group are those of `dy gamma` and of
/// `dy gamma xh`; inputs `(x, dy, stats, gamma, sums)`.
///
/// - Shapes: `x, dy: f32[N, C, H, W]`, `stats, sums: f32[N, 2, G]`, `gamma: f32[C]` `-> f32[N, C, H, W]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupNormGradInput {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// Samples, channels and pixels of `x`, and the number of groups that `stats` is about.
fn extents(x: &TensorType, stats: &TensorType) -> Result<([usize; 3], usize), ShapeError> {
    let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
    match *stats.shape.as_slice() {
        [samples, 2, groups] if samples == n && groups > 0 && c % groups == 0 => {
            Ok(([n, c, h * w], groups))
        }
        _ => Err(ShapeError::new(format!(
            "{x} needs statistics f32[{n}, 2, G] of groups that divide its channels, not {stats}"
        ))),
    }
}

/// The row of each sample's and group's numbers that belongs to an element.
fn group(input: usize, row: usize, groups: usize) -> (usize, Read) {
    (input, Read::Group { row, groups })
}

impl Named for GroupStats {
    const NAME: &'static str = "group_stats";
    const DOC: &'static str = "mean and biased variance of each channel group";
}

impl Op for GroupStats {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, _, _] = x.as_image().map_err(|e| e.at([0]))?;
        if self.groups == 0 || c % self.groups != 0 {
            return Err(ShapeError::new(format!(
                "{c} channels do not split evenly into {} groups",
                self.groups
            ))
            .at([0])
            .help("`groups` must divide the channels"));
        }
        Ok(TensorType::plain([n, 2, self.groups]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        3 * inputs[0].elements() as u64
    }
}

impl Gradient for GroupStats {
    fn grad(&self, _: &mut Backward<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![None])
    }
}

impl Lower for GroupStats {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [n, c, h, w] = lowering
            .input(0)
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        let channels = lowering.scratch(n * 2 * c);
        lowering.moments([n, h * w, c], Operand::Input(0), channels)?;
        let constants = json!({ "channels": c, "groups": self.groups });
        let operands = [("x", channels), ("y", Operand::Output)];
        lowering.per_element(Self::NAME, n * self.groups, &constants, &operands)
    }
}

impl ToOnnx for GroupStats {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        // `GroupNorm`, which alone reads them, is written with statistics of its own.
        let _ = node;
        Ok(())
    }
}

impl Named for GroupNorm {
    const NAME: &'static str = "group_norm";
    const DOC: &'static str =
        "normalisation by given statistics of channel groups, scaled and shifted";
}

impl Op for GroupNorm {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, stats, gamma, beta] = arity(inputs)?;
        let ([_, c, _], _) = extents(x, stats)?;
        channel_vectors(c, &[(2, gamma), (3, beta)])?;
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        2 * output.elements() as u64
    }
    fn scalar(&self, inputs: &[TensorType]) -> Option<Scalar> {
        let (_, groups) = extents(inputs.first()?, inputs.get(1)?).ok()?;
        let column = Read::Channel { row: 0 };
        Some(Scalar {
            arguments: vec![
                (0, Read::Broadcast),
                group(1, 0, groups),
                group(1, 1, groups),
                (2, column),
                (3, column),
            ],
            constants: self.attributes(),
        })
    }
}

impl Gradient for GroupNorm {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, stats, gamma) = (back.input(0), back.input(1), back.input(2));
        let eps = self.eps;
        let ([n, c, _], groups) = extents(back.ty(x), back.ty(stats))?;
        let sums = back.add(GroupNormSums { eps }, &[x, dy, stats])?;
        let mut grads = vec![None; 4];
        if back.needs(0) {
            let weighted = back.mul(sums, gamma)?;
            let to = TensorType::plain([n, 2, groups, c / groups]);
            let weighted = back.add(Reshape { to }, &[weighted])?;
            let joined = back.add(ReduceSum { axes: vec![3] }, &[weighted])?;
            let to = back.ty(stats).clone();
            let joined = back.add(Reshape { to }, &[joined])?;
            grads[0] = Some(back.add(GroupNormGradInput { eps }, &[x, dy, stats, gamma, joined])?);
        }
        if back.needs(2) || back.needs(3) {
            let total = back.add(ReduceSum { axes: vec![0] }, &[sums])?;
            let to = TensorType::plain([2, c]);
            let total = back.add(Reshape { to }, &[total])?;
            for (at, row) in [(2, 1), (3, 0)] {
                if back.needs(at) {
                    grads[at] = Some(back.add(TakeRow { row }, &[total])?);
                }
            }
        }
        Ok(grads)
    }
}

impl Lower for GroupNorm {}

impl ToOnnx for GroupNorm {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let [x, stats] = [node.input_type(0).clone(), node.input_type(1).clone()];
        let (Ok([_, c, h, w]), &[_, _, groups]) = (x.as_image(), stats.shape.as_slice()) else {
            return Err(node.unsupported("it is no group norm of a feature map"));
        };
        let (gamma, beta) = (node.fixed(2)?, node.fixed(3)?);
        // A group is an instance of its own: normalised alone, then scaled and shifted by channel.
        let input = node.input(0)?;
        let rows = node.reshape(&input, &[1, groups, c / groups * h * w]);
        let (ones, zeros) = (vec![1.0; groups], vec![0.0; groups]);
        let (one, zero) = (
            node.floats("one", &[groups], &ones),
            node.floats("zero", &[groups], &zeros),
        );
        let eps = [("epsilon", Attribute::Float(self.eps))];
        let normal = node.add("InstanceNormalization", &[&rows, &one, &zero], &eps);
        let map = node.reshape(&normal, &[1, c, h, w]);
        let gamma = node.floats("gamma", &[c, 1, 1], gamma);
        let beta = node.floats("beta", &[c, 1, 1], beta);
        let scaled = node.add("Mul", &[&map, &gamma], &[]);
        node.emit("Add", &[&scaled, &beta], &[])
    }
}

impl Named for GroupNormSums {
    const NAME: &'static str = "group_norm_sums";
    const DOC: &'static str = "sample's channel sums of dy and of dy times the normalised input";
}

impl Op for GroupNormSums {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy, stats] = arity(inputs)?;
        let ([n, c, _], _) = extents(x, stats)?;
        if x != dy {
            return Err(ShapeError::new(format!("{x} and its gradient {dy} differ")).at([0, 1]));
        }
        Ok(TensorType::plain([n, 2, c]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        4 * inputs[0].elements() as u64
    }
}

impl Gradient for GroupNormSums {}

impl Lower for GroupNormSums {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let ([n, c, pixels], groups) = extents(lowering.input(0), lowering.input(2))
            .map_err(|error| lowering.shape_error(error))?;
        let operands: Vec<_> = ["x", "dy", "stats"]
            .into_iter()
            .zip((0..).map(Operand::Input))
            .collect();
        lowering.reduce(
            Self::NAME,
            [n, pixels, c],
            2,
            &json!({ "eps": self.eps, "groups": groups }),
            &operands,
            Operand::Output,
        )
    }
}

impl ToOnnx for GroupNormSums {}

impl Named for GroupNormGradInput {
    const NAME: &'static str = "group_norm_grad_input";
    const DOC: &'static str = "gradient of group_norm and its statistics";
}

impl Op for GroupNormGradInput {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy, stats, gamma, sums] = arity(inputs)?;
        let ([_, c, _], _) = extents(x, stats)?;
        if x != dy || stats != sums || *gamma != TensorType::plain([c]) {
            return Err(ShapeError::new(format!(
                "{x}, {dy}, {stats}, {gamma} and {sums} do not belong together"
            )));
        }
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        5 * output.elements() as u64
    }
    fn scalar(&self, inputs: &[TensorType]) -> Option<Scalar> {
        let ([_, c, pixels], groups) = extents(inputs.first()?, inputs.get(2)?).ok()?;
        Some(Scalar {
            arguments: vec![
                (0, Read::Broadcast),
                (1, Read::Broadcast),
                group(2, 0, groups),
                group(2, 1, groups),
                (3, Read::Channel { row: 0 }),
                group(4, 0, groups),
                group(4, 1, groups),
            ],
            constants: json!({ "eps": self.eps, "count": pixels * (c / groups) }),
        })
    }
}

impl Gradient for GroupNormGradInput {}

impl Lower for GroupNormGradInput {}

impl ToOnnx for GroupNormGradInput {}

fn group_norm(
    b: &mut Builder<'_>,
    tensors: &[NodeId],
    settings: &Settings,
) -> Result<NodeId, ShapeError> {
    let x = tensors[0];
    let [_, c, h, w] = b.ty(x).as_image().map_err(|e| e.at([0]))?;
    let groups = settings.int("groups")?;
    if c == groups && h * w == 1 {
        return Err(ShapeError::new(
            "groups of one channel and one pixel have nothing to normalise",
        )
        .at([0])
        .help("take fewer `groups`"));
    }
    let stats = b.add(GroupStats { groups }, &[x], "stats")?;
    let vector = TensorType::plain([c]);
    let gamma = b.parameter("weight", vector.clone(), Init::Constant { value: 1.0 })?;
    let beta = b.parameter("bias", vector, Init::Constant { value: 0.0 })?;
    let eps = settings.float("eps");
    b.output(GroupNorm { eps }, &[x, stats, gamma, beta])
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: GroupNorm::NAME,
    doc: "normalisation of each sample's channel groups by their own mean and variance",
    tensors: (1, 1),
    settings: &[
        Setting {
            name: "groups",
            kind: Kind::Int {
                min: 1,
                max: 1 << 20,
            },
            default: Some("32"),
            doc: "number of groups; as many as channels normalises each by itself",
        },
        Setting {
            name: "eps",
            kind: Kind::Float(Limits::POSITIVE),
            default: Some("1e-5"),
            doc: "added to the variance",
        },
    ],
    build: group_norm,
};
