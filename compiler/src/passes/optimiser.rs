//! The optimiser as graph: one in-place node per trained parameter.

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Init, Input, NodeId, Parameter, ParameterKind, Phase};
use crate::ops::{Adam, Sgd};
use crate::tensor_type::{ShapeError, TensorType};

/// Name of the input that carries `[lr, 1/(1 - beta1^t), 1/sqrt(1 - beta2^t)]` of the step.
pub const SCHEDULE: &str = "schedule";

/// An optimiser and its hyperparameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Optimiser {
    /// Adam with L2 weight decay (added to the gradient), or AdamW (`decoupled`).
    Adam {
        /// Learning rate.
        lr: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Weight decay.
        weight_decay: f64,
        /// Whether the decay acts on the weight itself.
        decoupled: bool,
    },
    /// Gradient descent with momentum and L2 weight decay.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// Momentum.
        momentum: f64,
        /// Weight decay.
        weight_decay: f64,
        /// Whether the step looks ahead.
        nesterov: bool,
    },
}

impl Optimiser {
    /// The value of the input [`SCHEDULE`] at step `t`, counted from 1, computed in f64.
    pub fn schedule(&self, t: u64) -> [f32; 3] {
        match *self {
            Self::Adam {
                lr, beta1, beta2, ..
            } => {
                let t = t as f64;
                [
                    lr as f32,
                    (1.0 / (1.0 - beta1.powf(t))) as f32,
                    (1.0 / (1.0 - beta2.powf(t)).sqrt()) as f32,
                ]
            }
            Self::Sgd { lr, .. } => [lr as f32, 1.0, 1.0],
        }
    }
}

/// Adds the update of every `(parameter, gradient)`; the moments are parameters named `optim.<moment>.<parameter>`.
///
/// # Errors
/// A gradient that does not fit its parameter.
pub fn add_updates(
    graph: &mut Graph,
    optimiser: &Optimiser,
    gradients: &[(NodeId, NodeId)],
) -> Result<(), ShapeError> {
    graph.set_phase(Phase::Update);
    let schedule = graph.add(
        Input {
            ty: TensorType::plain([3]),
        },
        &[],
        SCHEDULE,
    )?;
    for &(parameter, gradient) in gradients {
        let (name, ty) = (
            graph.name(parameter).to_owned(),
            graph.ty(parameter).clone(),
        );
        let mut moment = |which: &str| {
            let init = Init::Constant { value: 0.0 };
            let op = Parameter {
                ty: ty.clone(),
                kind: ParameterKind::Moment,
                init,
                weight: None,
                quantum: false,
            };
            graph.add(op, &[], format!("optim.{which}.{name}"))
        };
        let next = match *optimiser {
            Optimiser::Adam {
                beta1,
                beta2,
                eps,
                weight_decay,
                decoupled,
                ..
            } => {
                let (m, v) = (moment("m")?, moment("v")?);
                let op = Adam {
                    beta1,
                    beta2,
                    eps,
                    weight_decay,
                    decoupled,
                };
                graph.add(
                    op,
                    &[parameter, m, v, gradient, schedule],
                    format!("{name}.next"),
                )?
            }
            Optimiser::Sgd {
                momentum,
                weight_decay,
                nesterov,
                ..
            } => {
                let m = moment("m")?;
                let op = Sgd {
                    momentum,
                    weight_decay,
                    nesterov,
                };
                graph.add(
                    op,
                    &[parameter, m, gradient, schedule],
                    format!("{name}.next"),
                )?
            }
        };
        graph.add_effect(next);
    }
    Ok(())
}
