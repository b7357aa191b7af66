//! What the nodes of a generated weight are added with, by `qpg` and by the post-processings.

use super::{Site, trained};
use crate::graph::{Init, NodeId, Op, ParameterKind, Patch, Role};
use crate::tensor_type::{ShapeError, TensorType};

/// Which parameters generate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Angles {
    /// Those that training changes.
    Trained,
    /// Their initial values, kept beside them.
    Start,
}

/// Adds the nodes of one generated weight to a patch, each with its role.
pub struct Generation<'p, 'g> {
    patch: &'p mut Patch<'g>,
    weight: String,
    angles: Angles,
    /// The role of the nodes that are added next.
    pub(super) role: Role,
}

impl<'p, 'g> Generation<'p, 'g> {
    pub(super) fn new(patch: &'p mut Patch<'g>, site: &Site, angles: Angles) -> Self {
        let weight = patch.node(site.weight).name.clone();
        Self {
            patch,
            weight,
            angles,
            role: Role::Plain,
        }
    }

    /// Adds a node.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(
        &mut self,
        op: impl Op,
        inputs: &[NodeId],
        suffix: &str,
    ) -> Result<NodeId, ShapeError> {
        match self.angles {
            Angles::Trained => {
                self.patch.set_role(self.role.clone());
                self.patch.add(op, inputs, suffix)
            }
            Angles::Start => {
                self.patch.set_role(Role::AtStart);
                self.patch.add(op, inputs, &format!("start.{suffix}"))
            }
        }
    }

    /// Adds a parameter. For the generation at the initial values it is frozen and keeps the initial value of the trained
    /// one.
    ///
    /// # Errors
    /// None in practice; a leaf takes no input.
    pub fn parameter(
        &mut self,
        ty: TensorType,
        init: Init,
        suffix: &str,
    ) -> Result<NodeId, ShapeError> {
        let mut parameter = trained(ty, init);
        match self.angles {
            Angles::Trained => {
                self.patch.set_role(self.role.clone());
                self.patch.add(parameter, &[], suffix)
            }
            Angles::Start => {
                parameter.kind = ParameterKind::Frozen;
                let of = format!("{}.{suffix}", self.weight);
                self.patch.set_role(Role::Start { of });
                self.patch.add(parameter, &[], &format!("{suffix}.start"))
            }
        }
    }
}
