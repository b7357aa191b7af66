//! The graphs of a run, made from a network's forward graph: a training step, an evaluation, a prediction, and the
//! generation of weights alone. One pipeline makes them all.

use crate::fault::Fault;
use crate::graph::{Graph, Input, NodeId, Phase, verify};
use crate::ops;
use crate::passes::autodiff;
use crate::passes::fuse::fuse;
use crate::passes::loss::{self, Loss};
use crate::passes::optimiser::{self, Optimiser};
use crate::passes::parts;
use crate::passes::readout;
use crate::passes::simplify::simplify;
use crate::plan::{self, LowerError, Plan};
use crate::tensor_type::{ShapeError, TensorType};

/// Name of the input that carries the mask or the class numbers, `f32[N, 1, H, W]`.
pub const TARGET: &str = "target";

/// What a step is for, and so what it gives back.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'e> {
    /// To train: the outputs are `loss` (the mean over all heads) and, of each sample, the counts `intersection`,
    /// `predicted` and `true`. Trained parameters and running statistics are updated.
    Train(&'e [(f64, Loss)], &'e Optimiser),
    /// The outputs are `loss` as in training, and the gradient of every trained parameter as `grad <name>`.
    Gradients(&'e [(f64, Loss)]),
    /// To measure: `loss` of the last head, the counts, and `probability`.
    Evaluate(&'e [(f64, Loss)]),
    /// To predict: `logits` and `probability` of the last head.
    Predict,
    /// The weights that rules replaced, each under its own name.
    Weights,
}

/// Why a graph cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StepError {
    /// Loss and network do not fit.
    #[error(transparent)]
    Loss(#[from] ShapeError),
    /// Nothing is left to train.
    #[error("nothing is left to train: every parameter is frozen")]
    NothingTrained,
    /// A fault of hqcc.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The graph of one step of a network: its forward graph after all rules, in training mode where the step trains.
/// Inputs: the network's, [`TARGET`] where there is a loss, [`SCHEDULE`](optimiser::SCHEDULE) where there are updates.
///
/// # Errors
/// Loss or gradients that do not apply.
pub fn step(mut graph: Graph, goal: Goal<'_>) -> Result<Graph, StepError> {
    verify(&graph, "rewrite")?;
    let loss = set_outputs(&mut graph, goal)?;
    readout::absorb(&mut graph)?;
    verify(&graph, "readout")?;
    match (loss, goal) {
        (Some(loss), Goal::Train(_, optimiser)) => {
            let wanted = autodiff::trained(&graph);
            if wanted.is_empty() {
                return Err(StepError::NothingTrained);
            }
            let gradients = autodiff::differentiate(&mut graph, loss, &wanted)?;
            verify(&graph, "autodiff")?;
            parts::join(&mut graph)?;
            verify(&graph, "parts")?;
            optimiser::add_updates(&mut graph, optimiser, &gradients)?;
        }
        (Some(loss), Goal::Gradients(_)) => {
            let wanted = autodiff::trained(&graph);
            for (parameter, gradient) in autodiff::differentiate(&mut graph, loss, &wanted)? {
                graph.set_output(format!("grad {}", graph.name(parameter)), gradient);
            }
            verify(&graph, "autodiff")?;
            parts::join(&mut graph)?;
            verify(&graph, "parts")?;
        }
        _ => {}
    }
    simplify(&mut graph)?;
    verify(&graph, "simplify")?;
    Ok(graph)
}

/// Replaces the outputs of a network by those of a step, and gives the loss where there is one.
fn set_outputs(graph: &mut Graph, goal: Goal<'_>) -> Result<Option<NodeId>, StepError> {
    let heads = loss::heads(graph)?;
    let last = *heads
        .last()
        .ok_or_else(|| ShapeError::new("the model has no output"))?;
    graph.retain_outputs(|_| false);
    match goal {
        Goal::Weights => {
            for (name, id) in graph.replaced() {
                graph.set_output(name, id);
            }
            graph.clear_effects();
            Ok(None)
        }
        Goal::Predict => {
            graph.set_output("logits", last);
            loss::add_probability(graph, last)?;
            graph.clear_effects();
            Ok(None)
        }
        Goal::Evaluate(terms) => {
            let target = add_target(graph, last)?;
            let loss = loss::add_loss(graph, &[last], target, terms)?;
            loss::add_metrics(graph, last, target)?;
            loss::add_probability(graph, last)?;
            Ok(Some(loss))
        }
        Goal::Train(terms, _) => {
            let target = add_target(graph, last)?;
            let loss = loss::add_loss(graph, &heads, target, terms)?;
            loss::add_metrics(graph, last, target)?;
            Ok(Some(loss))
        }
        Goal::Gradients(terms) => {
            let target = add_target(graph, last)?;
            Ok(Some(loss::add_loss(graph, &heads, target, terms)?))
        }
    }
}

/// Adds the target, `f32[N, 1, H, W]`: a mask for one logit, class numbers for several.
fn add_target(graph: &mut Graph, logits: NodeId) -> Result<NodeId, ShapeError> {
    let [n, _, h, w] = graph.ty(logits).as_image()?;
    graph.set_phase(Phase::Loss);
    let ty = TensorType::image([n, 1, h, w]);
    graph.add(Input { ty }, &[], TARGET)
}

/// What a GPU runs for a graph: its element-wise chains joined, then lowered to kernels.
///
/// # Errors
/// An op without a kernel, or a tensor too large to index.
pub fn plan(graph: &Graph) -> Result<Plan, LowerError> {
    let fusions = fuse(graph, &plan::capabilities())?;
    Plan::new(graph, &fusions, ops::lowering)
}
