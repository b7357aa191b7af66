//! Losses and metrics of a segmentation network, as ordinary nodes.

use serde::{Deserialize, Serialize};

use crate::graph::{Constant, Graph, NodeId, Op, Phase};
use crate::ops::{
    Add, Affine, Argmax, BceWithLogits, CrossEntropy, Div, Exp, Mul, ReduceSum, Reshape, Sigmoid,
    Threshold,
};
use crate::tensor_type::{ShapeError, TensorType};

/// A term of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean over all elements of the binary cross-entropy of logits.
    Bce,
    /// `1 - mean over samples of (2 sum p t + eps) / (sum p + sum t + eps)`, `p = sigmoid(logits)`, `eps = 1e-5`.
    Dice,
    /// Mean over pixels of the cross-entropy over channels, the target being class numbers.
    CrossEntropy,
}

impl Loss {
    /// Every loss with its name in the language.
    pub const ALL: &[(&'static str, Loss)] = &[
        ("bce", Self::Bce),
        ("dice", Self::Dice),
        ("cross_entropy", Self::CrossEntropy),
    ];

    /// What it computes.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Bce => "mean over all pixels of the binary cross-entropy of logits",
            Self::Dice => "1 less the mean over samples of the soft Dice coefficient",
            Self::CrossEntropy => {
                "mean over pixels of the cross-entropy over classes, one channel each"
            }
        }
    }
}

/// Name of a network's output: its logits, the last head where there are several.
pub const OUTPUT: &str = "output";

/// Name of the output of an earlier head, counted from 0; the last head is [`OUTPUT`].
pub fn head_name(at: usize) -> String {
    format!("{OUTPUT}.{}", at + 1)
}

/// The heads of a network, [`OUTPUT`] last.
///
/// # Errors
/// The network has no output.
pub fn heads(graph: &Graph) -> Result<Vec<NodeId>, ShapeError> {
    let outputs = graph.outputs();
    let last = outputs.get(OUTPUT).or_else(|| outputs.values().next());
    let last = *last.ok_or_else(|| ShapeError::new("the model has no output"))?;
    let earlier = (0..).map_while(|at| outputs.get(&head_name(at)).copied());
    Ok(earlier.chain([last]).collect())
}

/// Added to numerator and denominator of the dice loss.
const DICE_EPS: f64 = 1e-5;

struct Terms<'g> {
    graph: &'g mut Graph,
    prefix: String,
}

impl Terms<'_> {
    fn add(&mut self, op: impl Op, inputs: &[NodeId], suffix: &str) -> Result<NodeId, ShapeError> {
        self.graph
            .add(op, inputs, format!("{}.{suffix}", self.prefix))
    }

    /// The sum over all but the batch axis: `f32[N, 1, 1, 1]`.
    fn per_sample(&mut self, x: NodeId, suffix: &str) -> Result<NodeId, ShapeError> {
        self.add(
            ReduceSum {
                axes: vec![1, 2, 3],
            },
            &[x],
            suffix,
        )
    }

    /// The mean over everything, as a scalar, mapped by `scale * mean + offset`.
    fn mean(&mut self, x: NodeId, scale: f64, offset: f64) -> Result<NodeId, ShapeError> {
        let count = self.graph.ty(x).elements() as f64;
        let axes = (0..self.graph.ty(x).rank()).collect();
        let sum = self.add(ReduceSum { axes }, &[x], "sum")?;
        let mean = self.add(
            Affine {
                scale: scale / count,
                offset,
            },
            &[sum],
            "mean",
        )?;
        self.add(
            Reshape {
                to: TensorType::scalar(),
            },
            &[mean],
            "value",
        )
    }

    fn dice(&mut self, logits: NodeId, target: NodeId) -> Result<NodeId, ShapeError> {
        let p = self.add(Sigmoid, &[logits], "p")?;
        let both = self.add(Mul, &[p, target], "both")?;
        let both = self.per_sample(both, "intersection")?;
        let predicted = self.per_sample(p, "predicted")?;
        let true_ = self.per_sample(target, "true")?;
        let total = self.add(Add, &[predicted, true_], "total")?;
        let upper = self.add(
            Affine {
                scale: 2.0,
                offset: DICE_EPS,
            },
            &[both],
            "numerator",
        )?;
        let lower = self.add(
            Affine {
                scale: 1.0,
                offset: DICE_EPS,
            },
            &[total],
            "denominator",
        )?;
        let ratio = self.add(Div, &[upper, lower], "ratio")?;
        self.mean(ratio, -1.0, 1.0)
    }
}

/// Adds the loss as the output `loss`, a scalar: the mean over the heads of the weighted sum of its terms.
///
/// # Errors
/// Logits and target do not fit the loss.
pub fn add_loss(
    graph: &mut Graph,
    heads: &[NodeId],
    target: NodeId,
    terms: &[(f64, Loss)],
) -> Result<NodeId, ShapeError> {
    graph.set_phase(Phase::Loss);
    let mut total: Option<NodeId> = None;
    for (at, &logits) in heads.iter().enumerate() {
        let prefix = match heads {
            [_] => "loss".to_owned(),
            _ => format!("loss.{}", at + 1),
        };
        let value = add_terms(graph, logits, target, terms, &prefix)?;
        total = Some(match total {
            None => value,
            Some(so_far) => graph.add(Add, &[so_far, value], "loss.heads")?,
        });
    }
    let mut total = total.ok_or_else(|| ShapeError::new("the model has no output"))?;
    if heads.len() > 1 {
        let mean = Affine {
            scale: 1.0 / heads.len() as f64,
            offset: 0.0,
        };
        total = graph.add(mean, &[total], "loss.mean")?;
    }
    graph.set_output("loss", total);
    Ok(total)
}

/// The weighted sum of the loss terms of one head.
fn add_terms(
    graph: &mut Graph,
    logits: NodeId,
    target: NodeId,
    terms: &[(f64, Loss)],
    prefix: &str,
) -> Result<NodeId, ShapeError> {
    let channels = graph.ty(logits).as_image()?[1];
    let mut total: Option<NodeId> = None;
    for &(weight, loss) in terms {
        let name = Loss::ALL
            .iter()
            .find(|(_, l)| *l == loss)
            .map_or("", |(name, _)| name);
        if loss == Loss::CrossEntropy && channels < 2 {
            return Err(ShapeError::new(
                "`cross_entropy` needs two or more classes, the network has one output channel",
            )
            .help("give the model `classes = 2` or more, or use `bce`, the loss for one channel"));
        }
        if loss != Loss::CrossEntropy && graph.ty(logits) != graph.ty(target) {
            return Err(ShapeError::new(format!(
                "`{name}` compares logits {} with a target {}",
                graph.ty(logits),
                graph.ty(target)
            ))
            .help("use `cross_entropy` for two or more classes"));
        }
        let mut t = Terms {
            graph,
            prefix: format!("{prefix}.{name}"),
        };
        let value = match loss {
            Loss::Bce => {
                let each = t.add(BceWithLogits, &[logits, target], "each")?;
                t.mean(each, 1.0, 0.0)?
            }
            Loss::Dice => t.dice(logits, target)?,
            Loss::CrossEntropy => {
                let each = t.add(CrossEntropy, &[logits, target], "each")?;
                t.mean(each, 1.0, 0.0)?
            }
        };
        let value = if weight == 1.0 {
            value
        } else {
            t.add(
                Affine {
                    scale: weight,
                    offset: 0.0,
                },
                &[value],
                "weighted",
            )?
        };
        total = Some(match total {
            None => value,
            Some(so_far) => graph.add(Add, &[so_far, value], format!("{prefix}.sum"))?,
        });
    }
    total.ok_or_else(|| ShapeError::new("the loss has no terms"))
}

/// Adds per-sample counts as outputs `f32[N, 1, 1, 1]`: `intersection`, `predicted` and `true` pixels of the
/// foreground.
///
/// A pixel is foreground where its only logit is above 0 (probability above 1/2), or where the largest of several
/// logits is not that of class 0. Counts below 2^24 are exact.
///
/// # Errors
/// Logits and target differ in size.
pub fn add_metrics(graph: &mut Graph, logits: NodeId, target: NodeId) -> Result<(), ShapeError> {
    graph.set_phase(Phase::Loss);
    let several = graph.ty(logits).as_image()?[1] > 1;
    let mut t = Terms {
        graph,
        prefix: "metric".to_owned(),
    };
    let class = if several {
        t.add(Argmax, &[logits], "class")?
    } else {
        logits
    };
    let mask = t.add(Threshold { limit: 0.0 }, &[class], "mask")?;
    let truth = t.add(Threshold { limit: 0.0 }, &[target], "truth")?;
    let both = t.add(Mul, &[mask, truth], "both")?;
    for (name, of) in [("intersection", both), ("predicted", mask), ("true", truth)] {
        let count = t.per_sample(of, name)?;
        t.graph.set_output(name, count);
    }
    Ok(())
}

/// Adds the foreground probability of each pixel as the output `probability: f32[N, 1, H, W]`: the sigmoid of the
/// only logit, or the sum of the softmax over the classes from 1 on, which is `1 - softmax_0`.
///
/// # Errors
/// The logits are not a feature map.
pub fn add_probability(graph: &mut Graph, logits: NodeId) -> Result<NodeId, ShapeError> {
    graph.set_phase(Phase::Loss);
    let [n, channels, h, w] = graph.ty(logits).as_image()?;
    let mut t = Terms {
        graph,
        prefix: "probability".to_owned(),
    };
    let out = if channels == 1 {
        t.add(Sigmoid, &[logits], "value")?
    } else {
        // The cross-entropy against class 0 is -log softmax_0.
        let background = Constant {
            ty: TensorType::image([n, 1, h, w]),
            value: 0.0,
        };
        let zero = t.add(background, &[], "background")?;
        let nll = t.add(CrossEntropy, &[logits, zero], "nll")?;
        let log = t.add(
            Affine {
                scale: -1.0,
                offset: 0.0,
            },
            &[nll],
            "log",
        )?;
        let p0 = t.add(Exp, &[log], "p0")?;
        t.add(
            Affine {
                scale: -1.0,
                offset: 1.0,
            },
            &[p0],
            "value",
        )?
    };
    graph.set_output("probability", out);
    Ok(out)
}
