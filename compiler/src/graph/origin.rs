//! Where a node comes from and what it is for, recorded when it is made. Passes, counts, colours and checkpoints read
//! this record. They never read a meaning from a name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The part of a training step that a node belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The network itself.
    #[default]
    Forward,
    /// The loss and the metrics.
    Loss,
    /// Gradients.
    Backward,
    /// Optimiser steps and running statistics.
    Update,
}

/// What a node is for beyond what its op says. A gradient has the role of the node that it differentiates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Part of the network as the source says, or of the step around it.
    #[default]
    Plain,
    /// The trained angles of the circuits of a layer.
    Angles,
    /// The circuits of a layer.
    Circuit,
    /// A parameter or a step of a post-processing.
    Post,
    /// The weight that circuits give.
    Generated {
        /// Word of the post-processing.
        post: String,
    },
    /// A parameter that keeps the initial value of another one.
    Start {
        /// Name of that parameter.
        of: String,
    },
    /// A step of the generation at the initial values, which `start = zero` subtracts.
    AtStart,
    /// The sum of a frozen weight and a generated one, and the steps to it.
    Added,
    /// A parameter or a step of an adapter without circuits, its sum with the frozen weight included.
    Adapter,
}

impl Role {
    /// Whether circuits have a part in the value.
    pub fn is_quantum(&self) -> bool {
        !matches!(self, Role::Plain | Role::Adapter)
    }

    /// Whether this is [`Role::Plain`].
    pub fn is_plain(&self) -> bool {
        *self == Role::Plain
    }
}

/// Where a node comes from and what it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Part of the step.
    pub phase: Phase,
    /// Path of the layer that the node belongs to; `None` outside of layers.
    pub layer: Option<Arc<str>>,
    /// What it is for.
    pub role: Role,
}

impl Origin {
    /// A node outside of layers with a plain role.
    pub fn of_phase(phase: Phase) -> Origin {
        Origin {
            phase,
            ..Origin::default()
        }
    }

    /// The same place with another role.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Origin {
        self.role = role;
        self
    }

    /// The same layer and role in another part of the step.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Origin {
        self.phase = phase;
        self
    }
}
