//! The graphs of a run, made from a network's forward graph: a training step, an evaluation, a prediction, and the
//! generation of weights alone.

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Input, NodeId, Phase, verify};
use crate::ops;
use crate::passes::autodiff::{self, AutodiffError};
use crate::passes::fuse::fuse;
use crate::passes::loss::{self, Loss};
use crate::passes::optimiser::{self, Optimiser};
use crate::passes::parts;
use crate::passes::readout;
use crate::passes::rewrite::{self, RewriteError, Rule};
use crate::passes::simplify::simplify;
use crate::plan::{self, LowerError, Plan};
use crate::tensor_type::{ShapeError, TensorType};

/// Name of the input that carries the mask or the class numbers, `f32[N, 1, H, W]`.
pub const TARGET: &str = "target";

/// How far a graph has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// As the source says.
    Source,
    /// After the rewrite rules.
    Qpg,
    /// With loss, gradients and updates, simplified.
    Autodiff,
}

/// What a training step needs beside the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Weighted terms of the loss.
    pub loss: Vec<(f64, Loss)>,
    /// The optimiser.
    pub optimiser: Optimiser,
}

/// Why a graph cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StepError {
    /// Rules that do not apply.
    #[error("{}", .0.first().map_or("", |e| e.message.as_str()))]
    Rewrite(Vec<RewriteError>),
    /// An op without a gradient in the way.
    #[error(transparent)]
    Autodiff(#[from] AutodiffError),
    /// Loss and network do not fit.
    #[error(transparent)]
    Loss(#[from] ShapeError),
    /// Nothing is left to train.
    #[error("nothing is left to train: every parameter is frozen")]
    NothingTrained,
    /// A fault of hqcc.
    #[error("after pass `{pass}`: {message}; this is a fault of hqcc, please report it")]
    Internal {
        /// The pass.
        pass: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// Joins circuits with the maps behind them.
fn joined(graph: &mut Graph) -> Result<(), StepError> {
    readout::absorb(graph)?;
    verified(graph, "readout")
}

fn verified(graph: &Graph, pass: &'static str) -> Result<(), StepError> {
    verify(graph).map_err(|message| StepError::Internal { pass, message })
}

/// The logits that are evaluated and predicted from: those of the last head.
fn logits(graph: &Graph) -> Result<NodeId, ShapeError> {
    let heads = loss::heads(graph)?;
    let last = heads.last().copied();
    last.ok_or_else(|| ShapeError::new("the model has no output"))
}

/// Adds the target, `f32[N, C, H, W]` with one channel per logit, or one channel of class numbers for several classes.
fn add_target(graph: &mut Graph, logits: NodeId) -> Result<NodeId, ShapeError> {
    let [n, _, h, w] = graph.ty(logits).as_image()?;
    graph.set_phase(Phase::Loss);
    graph.add(
        Input {
            ty: TensorType::image([n, 1, h, w]),
        },
        &[],
        TARGET,
    )
}

/// A network after its rewrite rules.
///
/// # Errors
/// Rules that match nothing or fight.
pub fn rewritten(mut forward: Graph, rules: &[Rule]) -> Result<Graph, StepError> {
    verified(&forward, "elaborate")?;
    rewrite::apply(&mut forward, rules).map_err(StepError::Rewrite)?;
    forward.prune();
    verified(&forward, "qpg")?;
    Ok(forward)
}

/// A training step: forward, loss (the mean over all heads), backward, optimiser and running statistics. Outputs: `loss` and the counts
/// `intersection`, `predicted`, `true` of each sample. Inputs: the network's, [`TARGET`], and
/// [`SCHEDULE`](optimiser::SCHEDULE). `forward` is the network in training mode.
///
/// # Errors
/// Rules, loss or gradients that do not apply.
pub fn train(forward: Graph, rules: &[Rule], recipe: &Recipe) -> Result<Graph, StepError> {
    let mut graph = rewritten(forward, rules)?;
    let logits = logits(&graph)?;
    let target = add_target(&mut graph, logits)?;
    let heads = loss::heads(&graph)?;
    let loss = loss::add_loss(&mut graph, &heads, target, &recipe.loss)?;
    loss::add_metrics(&mut graph, logits, target)?;
    joined(&mut graph)?;
    let wanted = autodiff::trained(&graph);
    if wanted.is_empty() {
        return Err(StepError::NothingTrained);
    }
    let gradients = autodiff::differentiate(&mut graph, loss, &wanted)?;
    verified(&graph, "autodiff")?;
    parts::join(&mut graph)?;
    verified(&graph, "parts")?;
    optimiser::add_updates(&mut graph, &recipe.optimiser, &gradients)?;
    keep_only(&mut graph, &["loss", "intersection", "predicted", "true"]);
    simplify(&mut graph);
    verified(&graph, "simplify")?;
    Ok(graph)
}

/// Forward, loss and gradients without an update: the outputs are `loss` and the gradient of every trained
/// parameter as `grad <name>`.
///
/// # Errors
/// As [`train`].
pub fn gradients(
    forward: Graph,
    rules: &[Rule],
    terms: &[(f64, Loss)],
) -> Result<Graph, StepError> {
    let mut graph = rewritten(forward, rules)?;
    let logits = logits(&graph)?;
    let target = add_target(&mut graph, logits)?;
    let heads = loss::heads(&graph)?;
    let loss = loss::add_loss(&mut graph, &heads, target, terms)?;
    joined(&mut graph)?;
    let wanted = autodiff::trained(&graph);
    for (parameter, gradient) in autodiff::differentiate(&mut graph, loss, &wanted)? {
        let name = format!("grad {}", graph.name(parameter));
        graph.set_output(name, gradient);
    }
    parts::join(&mut graph)?;
    verified(&graph, "parts")?;
    simplify(&mut graph);
    verified(&graph, "simplify")?;
    Ok(graph)
}

/// An evaluation: forward with running statistics, loss and counts; outputs as [`train`], and `probability`.
///
/// # Errors
/// Rules or loss that do not apply.
pub fn evaluate(forward: Graph, rules: &[Rule], terms: &[(f64, Loss)]) -> Result<Graph, StepError> {
    let mut graph = rewritten(forward, rules)?;
    let logits = logits(&graph)?;
    let target = add_target(&mut graph, logits)?;
    loss::add_loss(&mut graph, &[logits], target, terms)?;
    loss::add_metrics(&mut graph, logits, target)?;
    loss::add_probability(&mut graph, logits)?;
    keep_only(
        &mut graph,
        &["loss", "intersection", "predicted", "true", "probability"],
    );
    joined(&mut graph)?;
    simplify(&mut graph);
    verified(&graph, "simplify")?;
    Ok(graph)
}

/// A prediction without circuits: generated weights are parameters under the layer's own name (`head.weight`),
/// to be filled from [`weights`]. Outputs: `logits` and `probability`.
///
/// # Errors
/// The network has no output.
pub fn predict(mut forward: Graph) -> Result<Graph, StepError> {
    let logits = logits(&forward)?;
    forward.set_output("logits", logits);
    loss::add_probability(&mut forward, logits)?;
    keep_only(&mut forward, &["logits", "probability"]);
    forward.clear_effects();
    simplify(&mut forward);
    verified(&forward, "simplify")?;
    Ok(forward)
}

/// The generation of weights alone: one output per generated or adapted weight, under the name of the weight that
/// it stands for. `None` when no weight is replaced.
///
/// # Errors
/// Rules that match nothing or fight.
pub fn weights(forward: Graph, rules: &[Rule]) -> Result<Option<Graph>, StepError> {
    let mut graph = rewritten(forward, rules)?;
    let outputs = graph.replaced();
    if outputs.is_empty() {
        return Ok(None);
    }
    keep_only(&mut graph, &[]);
    for (name, id) in outputs {
        graph.set_output(name, id);
    }
    graph.clear_effects();
    joined(&mut graph)?;
    simplify(&mut graph);
    verified(&graph, "simplify")?;
    Ok(Some(graph))
}

/// What a GPU runs for a graph: its element-wise chains joined, then lowered to kernels.
///
/// # Errors
/// An op without a kernel, or a tensor too large to index.
pub fn plan(graph: &Graph) -> Result<Plan, LowerError> {
    let fusions = fuse(graph, &plan::capabilities())?;
    Plan::new(graph, &fusions, ops::lowering)
}

fn keep_only(graph: &mut Graph, names: &[&str]) {
    graph.retain_outputs(|name| names.contains(&name));
}
