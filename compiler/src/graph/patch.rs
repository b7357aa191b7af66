//! The only way a pass edits a graph.

use super::{Graph, NodeId, Op};
use crate::tensor_type::ShapeError;

/// A set of changes around one node, made by a rule of a pass. New nodes are named from the source:
/// `<anchor>.<suffix>`.
pub struct Patch<'g> {
    graph: &'g mut Graph,
    anchor: String,
    added: Vec<NodeId>,
}

impl<'g> Patch<'g> {
    /// A patch whose new nodes are named after `anchor`.
    pub fn new(graph: &'g mut Graph, anchor: NodeId) -> Self {
        let anchor = graph.name(anchor).to_owned();
        let phase = graph
            .find(&anchor)
            .map_or(super::Phase::Forward, |id| graph.node(id).phase);
        graph.set_phase(phase);
        Self {
            graph,
            anchor,
            added: Vec::new(),
        }
    }

    /// The graph as it stands.
    pub fn graph(&self) -> &Graph {
        self.graph
    }

    /// Adds a node named `<anchor>.<suffix>`.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(
        &mut self,
        op: impl Op,
        inputs: &[NodeId],
        suffix: &str,
    ) -> Result<NodeId, ShapeError> {
        let id = self
            .graph
            .add(op, inputs, format!("{}.{suffix}", self.anchor))?;
        self.added.push(id);
        Ok(id)
    }

    /// Lets every reader of `old` but the patch's own nodes read `new`; `new` must have the same type.
    ///
    /// # Errors
    /// The types differ.
    pub fn replace(&mut self, old: NodeId, new: NodeId) -> Result<(), ShapeError> {
        let (was, is) = (self.graph.ty(old), self.graph.ty(new));
        if was != is {
            return Err(ShapeError::new(format!(
                "`{}` is {was:?} and cannot become {is:?}",
                self.graph.name(old)
            )));
        }
        self.graph.redirect(old, new, &self.added);
        Ok(())
    }

    /// Replaces the op of a leaf.
    ///
    /// # Errors
    /// The new op gives another type.
    pub fn set_op(&mut self, id: NodeId, op: impl Op) -> Result<(), ShapeError> {
        self.graph.set_op(id, op)
    }

    /// Renames a node to `<anchor>.<suffix>`.
    pub fn rename(&mut self, id: NodeId, suffix: &str) {
        self.graph.rename(id, format!("{}.{suffix}", self.anchor));
    }
}
