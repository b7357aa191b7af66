//! The optimiser as graph: one in-place node per trained parameter.

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Init, Input, NodeId, Parameter, ParameterKind, Phase};
use crate::ops::{Adam, Sgd};
use crate::setting::{Kind, Limits, Setting, Settings};
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

/// An optimiser of the language.
pub struct OptimiserInfo {
    /// Its name.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// Its settings, given by name.
    pub settings: &'static [Setting],
    /// The optimiser with all of its settings.
    pub make: fn(&Settings) -> Optimiser,
}

const DECAY: Kind = Kind::Float(Limits::NOT_NEGATIVE.below(1.0));

const NOT_NEGATIVE: Kind = Kind::Float(Limits::NOT_NEGATIVE);

const fn lr(default: &'static str) -> Setting {
    Setting {
        name: "lr",
        kind: NOT_NEGATIVE,
        default: Some(default),
        doc: "learning rate",
    }
}

const fn weight_decay(default: &'static str, doc: &'static str) -> Setting {
    Setting {
        name: "weight_decay",
        kind: NOT_NEGATIVE,
        default: Some(default),
        doc,
    }
}

const BETA1: Setting = Setting {
    name: "beta1",
    kind: DECAY,
    default: Some("0.9"),
    doc: "decay of the mean gradient",
};

const BETA2: Setting = Setting {
    name: "beta2",
    kind: DECAY,
    default: Some("0.999"),
    doc: "decay of the mean squared gradient",
};

const EPS: Setting = Setting {
    name: "eps",
    kind: NOT_NEGATIVE,
    default: Some("1e-8"),
    doc: "added to the root of the mean squared gradient",
};

fn adam(settings: &Settings, decoupled: bool) -> Optimiser {
    Optimiser::Adam {
        lr: settings.float("lr"),
        beta1: settings.float("beta1"),
        beta2: settings.float("beta2"),
        eps: settings.float("eps"),
        weight_decay: settings.float("weight_decay"),
        decoupled,
    }
}

/// Every optimiser, by name; the first one is the default.
pub const OPTIMISERS: &[OptimiserInfo] = &[
    OptimiserInfo {
        name: "adam",
        doc: "steps scaled by the running mean of squared gradients",
        settings: &[
            lr("1e-3"),
            BETA1,
            BETA2,
            EPS,
            weight_decay("0", "times the weight, added to the gradient"),
        ],
        make: |settings| adam(settings, false),
    },
    OptimiserInfo {
        name: "adamw",
        doc: "adam whose weight decay acts on the weight itself",
        settings: &[
            lr("1e-3"),
            BETA1,
            BETA2,
            EPS,
            weight_decay(
                "1e-2",
                "times the weight and the learning rate, taken off the weight",
            ),
        ],
        make: |settings| adam(settings, true),
    },
    OptimiserInfo {
        name: "sgd",
        doc: "gradient descent with momentum",
        settings: &[
            lr("1e-2"),
            Setting {
                name: "momentum",
                kind: DECAY,
                default: Some("0"),
                doc: "share of the last step that is kept",
            },
            weight_decay("0", "times the weight, added to the gradient"),
            Setting {
                name: "nesterov",
                kind: Kind::Bool,
                default: Some("false"),
                doc: "the gradient is taken where the momentum leads",
            },
        ],
        make: |settings| Optimiser::Sgd {
            lr: settings.float("lr"),
            momentum: settings.float("momentum"),
            weight_decay: settings.float("weight_decay"),
            nesterov: settings.bool("nesterov"),
        },
    },
];

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
