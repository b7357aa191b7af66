//! How a graph is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::graph::NodeId;

/// How a graph is drawn.
#[derive(Clone, Debug, Default)]
pub struct DotOptions {
    /// Title of the picture.
    pub title: String,
    /// What a comment at the beginning says.
    pub note: String,
    /// Show blocks nested deeper than this as one box each; `None` shows every layer.
    pub depth: Option<NonZeroUsize>,
    /// Show every node, parameters and inner nodes of layers too.
    pub nodes: bool,
    /// Nodes that a kernel computes together with the one that gives its result, whose box they share.
    pub joined: BTreeMap<NodeId, NodeId>,
    /// Nodes to mark as added, by name (a diff).
    pub added: BTreeSet<String>,
    /// Nodes of an earlier graph that are gone, by name.
    pub removed: BTreeSet<String>,
}
