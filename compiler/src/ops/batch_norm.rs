//! Batch normalisation (Ioffe and Szegedy, arXiv:1502.03167), as four ops that share channel statistics.

use serde::{Deserialize, Serialize};

use super::layer::{Builder, LayerInfo};
use super::running_average::RunningAverage;
use crate::graph::{Backward, Gradient, Identity, Init, Named, NodeId, Op, Read, Scalar};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Limits, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `batch_stats`: mean and biased variance of each channel over batch, rows and columns.
///
/// - Shapes: `x: f32[N, C, H, W] -> f32[2, C]`, row 0 the means, row 1 the variances.
/// - Gradient: none of its own; [`BatchNorm`] in training differentiates through the statistics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchStats;

/// `batch_norm`: `y = (x - mean) / sqrt(variance + eps) * gamma + beta`; inputs `(x, stats, gamma, beta)`.
///
/// - Shapes: `x: f32[N, C, H, W]`, `stats: f32[2, C]`, `gamma, beta: f32[C]` `-> f32[N, C, H, W]`.
/// - Gradient: in training through the statistics of the batch, which `stats` then must be; else they are constants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Added to the variance under the root.
    pub eps: f64,
    /// Whether `stats` are those of this very `x`.
    pub training: bool,
}

/// `batch_norm_sums`: per channel the sum of `dy` and of `dy (x - mean) / sqrt(variance + eps)`, which are the
/// gradients of beta and gamma; inputs `(x, dy, stats)`.
///
/// - Shapes: `x, dy: f32[N, C, H, W]`, `stats: f32[2, C]` `-> f32[2, C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchNormSums {
    /// Added to the variance under the root.
    pub eps: f64,
}

/// `batch_norm_grad_input`: with `r = 1 / sqrt(variance + eps)`, `m = N H W` and `xh` the normalised input,
/// `dx = gamma r (dy - sums[0] / m - xh sums[1] / m)` in training and `gamma r dy` otherwise;
/// inputs `(x, dy, stats, gamma, sums)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchNormGradInput {
    /// Added to the variance under the root.
    pub eps: f64,
    /// Whether the gradient flows through the statistics.
    pub training: bool,
}

/// `stack_rows`: two vectors as the rows of a matrix.
///
/// - Shapes: `a, b: f32[C] -> f32[2, C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackRows;

/// `take_row`: one row of a matrix.
///
/// - Shapes: `x: f32[R, C] -> f32[C]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakeRow {
    /// Which row.
    pub row: usize,
}

impl Named for BatchStats {
    const NAME: &'static str = "batch_stats";
    const DOC: &'static str = "mean and biased variance of each channel";
}

impl Op for BatchStats {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        Ok(TensorType::plain([2, x.as_image()?[1]]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        3 * inputs[0].elements() as u64
    }
}

impl Gradient for BatchStats {
    fn grad(&self, _: &mut Backward<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![None])
    }
}

impl Lower for BatchStats {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [n, c, h, w] = lowering
            .input(0)
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        lowering.moments([1, n * h * w, c], Operand::Input(0), Operand::Output)
    }
}

impl ToOnnx for BatchStats {}

/// Holds scale and shift, inputs by number, against the channels of input 0.
pub(super) fn channel_vectors(
    c: usize,
    vectors: &[(usize, &TensorType)],
) -> Result<(), ShapeError> {
    match vectors
        .iter()
        .find(|(_, vector)| **vector != TensorType::plain([c]))
    {
        None => Ok(()),
        Some((at, vector)) => Err(ShapeError::new(format!(
            "{c} channels need a vector f32[{c}], not {vector}"
        ))
        .at([0, *at])),
    }
}

impl Named for BatchNorm {
    const NAME: &'static str = "batch_norm";
    const DOC: &'static str = "normalisation by given channel statistics, scaled and shifted";
}

impl Op for BatchNorm {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, stats, gamma, beta] = arity(inputs)?;
        let c = x.as_image().map_err(|e| e.at([0]))?[1];
        if *stats != TensorType::plain([2, c]) {
            return Err(ShapeError::new(format!(
                "{c} channels need statistics f32[2, {c}], not {stats}"
            ))
            .at([0, 1]));
        }
        channel_vectors(c, &[(2, gamma), (3, beta)])?;
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        2 * output.elements() as u64
    }
    fn scalar(&self, _: &[TensorType]) -> Option<Scalar> {
        let row = |row| Read::Channel { row };
        let arguments = vec![
            (0, Read::Broadcast),
            (1, row(0)),
            (1, row(1)),
            (2, row(0)),
            (3, row(0)),
        ];
        Some(Scalar {
            arguments,
            constants: self.attributes(),
        })
    }
}

impl Gradient for BatchNorm {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (x, stats, gamma) = (back.input(0), back.input(1), back.input(2));
        let mut grads = vec![None; 4];
        let sums = back.add(BatchNormSums { eps: self.eps }, &[x, dy, stats])?;
        if back.needs(0) {
            let op = BatchNormGradInput {
                eps: self.eps,
                training: self.training,
            };
            grads[0] = Some(back.add(op, &[x, dy, stats, gamma, sums])?);
        }
        if back.needs(2) {
            grads[2] = Some(back.add(TakeRow { row: 1 }, &[sums])?);
        }
        if back.needs(3) {
            grads[3] = Some(back.add(TakeRow { row: 0 }, &[sums])?);
        }
        Ok(grads)
    }
}

impl Lower for BatchNorm {}

impl ToOnnx for BatchNorm {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        if self.training {
            return Err(node.unsupported("it uses the statistics of the batch"));
        }
        let (stats, c) = (node.fixed(1)?, node.output_type().shape[1]);
        let mean = node.floats("mean", &[c], &stats[..c]);
        let variance = node.floats("variance", &[c], &stats[c..]);
        let (x, gamma, beta) = (node.input(0)?, node.input(2)?, node.input(3)?);
        let eps = Attribute::Float(self.eps);
        node.emit(
            "BatchNormalization",
            &[&x, &gamma, &beta, &mean, &variance],
            &[("epsilon", eps)],
        )
    }
}

impl Named for BatchNormSums {
    const NAME: &'static str = "batch_norm_sums";
    const DOC: &'static str = "channel sums of dy and of dy times the normalised input";
}

impl Op for BatchNormSums {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy, stats] = arity(inputs)?;
        if x != dy || *stats != TensorType::plain([2, x.as_image()?[1]]) {
            return Err(ShapeError::new(format!(
                "{x}, {dy} and {stats} do not belong together"
            )));
        }
        Ok(stats.clone())
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        4 * inputs[0].elements() as u64
    }
}

impl Gradient for BatchNormSums {}

impl Lower for BatchNormSums {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [n, c, h, w] = lowering
            .input(0)
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        let operands: Vec<_> = ["x", "dy", "stats"]
            .into_iter()
            .zip((0..).map(Operand::Input))
            .collect();
        let constants = self.attributes();
        lowering.reduce(
            Self::NAME,
            [1, n * h * w, c],
            2,
            &constants,
            &operands,
            Operand::Output,
        )
    }
}

impl ToOnnx for BatchNormSums {}

impl Named for BatchNormGradInput {
    const NAME: &'static str = "batch_norm_grad_input";
    const DOC: &'static str = "gradient of batch_norm and its statistics";
}

impl Op for BatchNormGradInput {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy, stats, gamma, sums] = arity(inputs)?;
        let c = x.as_image()?[1];
        if x != dy
            || stats != sums
            || *stats != TensorType::plain([2, c])
            || *gamma != TensorType::plain([c])
        {
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
        let row = |row| Read::Channel { row };
        let [n, _, h, w] = inputs[0].as_image().ok()?;
        let (eps, training, count) = (self.eps, self.training, n * h * w);
        let constants = serde_json::json!({ "eps": eps, "training": training, "count": count });
        let dy = (1, Read::Broadcast);
        let arguments = if training {
            vec![
                (0, Read::Broadcast),
                dy,
                (2, row(0)),
                (2, row(1)),
                (3, row(0)),
                (4, row(0)),
                (4, row(1)),
            ]
        } else {
            vec![dy, (2, row(1)), (3, row(0))]
        };
        Some(Scalar {
            arguments,
            constants,
        })
    }
}

impl Gradient for BatchNormGradInput {}

impl Lower for BatchNormGradInput {}

impl ToOnnx for BatchNormGradInput {}

impl Named for StackRows {
    const NAME: &'static str = "stack_rows";
    const DOC: &'static str = "two vectors as the rows of a matrix";
}

impl Op for StackRows {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(inputs)?;
        if a != b || a.rank() != 1 {
            return Err(ShapeError::new(format!(
                "two vectors of one length are needed, not {a} and {b}"
            )));
        }
        Ok(TensorType::plain([2, a.shape[0]]))
    }
}

impl Gradient for StackRows {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![
            Some(back.add(TakeRow { row: 0 }, &[dy])?),
            Some(back.add(TakeRow { row: 1 }, &[dy])?),
        ])
    }
}

impl Lower for StackRows {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let c = lowering.input(0).elements();
        lowering.concat(Self::NAME, 1, &[c, c])
    }
}

impl ToOnnx for StackRows {}

impl Named for TakeRow {
    const NAME: &'static str = "take_row";
    const DOC: &'static str = "one row of a matrix";
}

impl Op for TakeRow {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        match x.shape.as_slice() {
            &[rows, columns] if self.row < rows => Ok(TensorType::plain([columns])),
            _ => Err(ShapeError::new(format!("{x} has no row {}", self.row))),
        }
    }
    fn scalar(&self, _: &[TensorType]) -> Option<Scalar> {
        let arguments = vec![(0, Read::Channel { row: self.row })];
        Some(Scalar {
            arguments,
            constants: self.attributes(),
        })
    }
}

impl Gradient for TakeRow {}

impl Lower for TakeRow {}

impl ToOnnx for TakeRow {}

fn batch_norm(
    b: &mut Builder<'_>,
    tensors: &[NodeId],
    settings: &Settings,
) -> Result<NodeId, ShapeError> {
    let x = tensors[0];
    let [n, c, h, w] = b.ty(x).as_image().map_err(|e| e.at([0]))?;
    let vector = TensorType::plain([c]);
    let gamma = b.parameter("weight", vector.clone(), Init::Constant { value: 1.0 })?;
    let beta = b.parameter("bias", vector.clone(), Init::Constant { value: 0.0 })?;
    let mean = b.statistic("running_mean", vector.clone(), 0.0)?;
    let variance = b.statistic("running_var", vector, 1.0)?;
    let stats = if b.training {
        let count = n * h * w;
        if count < 2 {
            return Err(ShapeError::new(
                "batch normalisation in training needs more than one value per channel",
            )
            .at([0]));
        }
        let stats = b.add(BatchStats, &[x], "stats")?;
        let momentum = settings.float("momentum");
        let unbiased = count as f64 / (count - 1) as f64;
        for (state, row, factor, suffix) in [
            (mean, 0, 1.0, "running_mean.next"),
            (variance, 1, unbiased, "running_var.next"),
        ] {
            let next = b.add(
                RunningAverage {
                    momentum,
                    row,
                    factor,
                },
                &[state, stats],
                suffix,
            )?;
            b.graph.add_effect(next);
        }
        stats
    } else {
        b.add(StackRows, &[mean, variance], "stats")?
    };
    b.output(
        BatchNorm {
            eps: settings.float("eps"),
            training: b.training,
        },
        &[x, stats, gamma, beta],
    )
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: BatchNorm::NAME,
    doc: "batch normalisation with running statistics",
    tensors: (1, 1),
    settings: &[
        Setting {
            name: "eps",
            kind: Kind::Float(Limits::POSITIVE),
            default: Some("1e-5"),
            doc: "added to the variance",
        },
        Setting {
            name: "momentum",
            kind: Kind::Float(Limits::FRACTION),
            default: Some("0.1"),
            doc: "weight of a new batch in the running statistics",
        },
    ],
    build: batch_norm,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_another_length_is_named() {
        let (four, three) = (TensorType::plain([4]), TensorType::plain([3]));
        assert!(channel_vectors(4, &[(2, &four), (3, &four)]).is_ok());
        let error = channel_vectors(4, &[(2, &four), (3, &three)]).unwrap_err();
        assert_eq!(error.message, "4 channels need a vector f32[4], not f32[3]");
        assert_eq!(error.inputs, [0, 3]);
    }
}
