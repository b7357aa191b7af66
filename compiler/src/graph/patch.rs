//! A set of changes to a graph as a value: it is built apart, checked, and applied or refused as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Graph, Node, NodeId, Op, Origin, Role};
use crate::tensor_type::{ShapeError, TensorType};

/// Ids from here on name nodes of a patch that are not in the graph yet. A graph holds far fewer nodes.
const PROVISIONAL: u32 = 1 << 31;

/// A node that is not in the graph yet.
#[derive(Clone, Debug)]
struct NewNode {
    node: Node,
    inputs: Vec<NodeId>,
}

/// A change to existing nodes of the graph.
#[derive(Clone, Debug)]
enum Change {
    /// All readers of `old` read `new`, except the nodes of the patch and those in `keep`.
    Redirect {
        old: NodeId,
        new: NodeId,
        keep: Vec<NodeId>,
    },
    /// Another op with the same inputs and the same type.
    SetOp { id: NodeId, op: Arc<dyn Op> },
    /// Another name.
    Rename { id: NodeId, name: String },
    /// An effect that is kept no longer.
    DropEffect { id: NodeId },
    /// The weight whose place a node takes.
    Replaces { id: NodeId, weight: String },
}

/// A set of changes around one node, made by a rule of a pass. It reads the graph and changes nothing; [`Patch::finish`]
/// gives the changes, and [`Graph::apply`] carries them out. New nodes are named from the source: `<anchor>.<suffix>`,
/// and belong to the layer and the phase of the anchor.
pub struct Patch<'g> {
    graph: &'g Graph,
    anchor: String,
    origin: Origin,
    added: Vec<NewNode>,
    changes: Vec<Change>,
}

/// The changes of a finished [`Patch`].
#[derive(Clone, Debug)]
pub struct Changes {
    added: Vec<NewNode>,
    changes: Vec<Change>,
}

impl<'g> Patch<'g> {
    /// A patch whose new nodes are named after `anchor`.
    pub fn new(graph: &'g Graph, anchor: NodeId) -> Self {
        Self {
            graph,
            anchor: graph.name(anchor).to_owned(),
            origin: graph.node(anchor).origin.clone().with_role(Role::Plain),
            added: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The graph before the patch.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// Where nodes that are added from now on come from.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The role of nodes that are added from now on.
    pub fn set_role(&mut self, role: Role) {
        self.origin.role = role;
    }

    /// A node of the graph or of the patch.
    pub fn node(&self, id: NodeId) -> &Node {
        match id.0.checked_sub(PROVISIONAL) {
            Some(at) => &self.added[at as usize].node,
            None => self.graph.node(id),
        }
    }

    /// The type of a node of the graph or of the patch.
    pub fn ty(&self, id: NodeId) -> &TensorType {
        &self.node(id).ty
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
        let name = format!("{}.{suffix}", self.anchor);
        self.add_named(op, inputs, name)
    }

    /// Adds a node with a name of its own.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add_named(
        &mut self,
        op: impl Op,
        inputs: &[NodeId],
        name: String,
    ) -> Result<NodeId, ShapeError> {
        let types: Vec<_> = inputs.iter().map(|&id| self.ty(id).clone()).collect();
        let ty = op.infer(&types)?;
        let id = NodeId(PROVISIONAL + self.added.len() as u32);
        self.added.push(NewNode {
            node: Node {
                op: Arc::new(op),
                name,
                ty,
                origin: self.origin.clone(),
                replaces: None,
            },
            inputs: inputs.to_vec(),
        });
        Ok(id)
    }

    /// Lets every reader of `old`, and every output, read `new`, except the patch's own nodes and those in `keep`.
    ///
    /// # Errors
    /// The types differ.
    pub fn redirect(
        &mut self,
        old: NodeId,
        new: NodeId,
        keep: &[NodeId],
    ) -> Result<(), ShapeError> {
        let (was, is) = (self.ty(old), self.ty(new));
        if was != is {
            return Err(ShapeError::new(format!(
                "`{}` is {was} and cannot become {is}",
                self.node(old).name
            )));
        }
        let keep = keep.to_vec();
        self.changes.push(Change::Redirect { old, new, keep });
        Ok(())
    }

    /// Lets every reader of `old` but the patch's own nodes read `new`; `new` must have the same type.
    ///
    /// # Errors
    /// The types differ.
    pub fn replace(&mut self, old: NodeId, new: NodeId) -> Result<(), ShapeError> {
        self.redirect(old, new, &[])
    }

    /// Lets the readers of a layer's weight read `new`, and records it: `new` takes the place of that weight.
    ///
    /// # Errors
    /// The types differ.
    pub fn replace_weight(&mut self, weight: NodeId, new: NodeId) -> Result<(), ShapeError> {
        self.replace(weight, new)?;
        let weight = self.node(weight).name.clone();
        self.changes.push(Change::Replaces { id: new, weight });
        Ok(())
    }

    /// Lets `new` take the place that `old` has among the replaced weights, if it has one.
    pub fn take_place(&mut self, old: NodeId, new: NodeId) {
        if let Some(weight) = self.node(old).replaces.clone() {
            self.changes.push(Change::Replaces { id: new, weight });
        }
    }

    /// Replaces the op of a node of the graph; inputs and type stay.
    ///
    /// # Errors
    /// The new op gives another type.
    pub fn set_op(&mut self, id: NodeId, op: impl Op) -> Result<(), ShapeError> {
        let ty = op.infer(&self.graph.input_types(id))?;
        if ty != *self.ty(id) {
            return Err(ShapeError::new(format!(
                "`{}` cannot change from {} to {ty}",
                self.node(id).name,
                self.ty(id)
            )));
        }
        let op = Arc::new(op);
        self.changes.push(Change::SetOp { id, op });
        Ok(())
    }

    /// Gives a node of the graph or of the patch another name.
    pub fn rename(&mut self, id: NodeId, name: String) {
        self.changes.push(Change::Rename { id, name });
    }

    /// Lets an effect go when no output needs it.
    pub fn drop_effect(&mut self, id: NodeId) {
        self.changes.push(Change::DropEffect { id });
    }

    /// The changes, checked: no node may depend on itself afterwards.
    ///
    /// # Errors
    /// A redirection closes a cycle.
    pub fn finish(self) -> Result<Changes, ShapeError> {
        for change in &self.changes {
            let Change::Redirect { old, new, keep } = change else {
                continue;
            };
            let readers = self.graph.users(*old);
            let readers: BTreeSet<_> = readers.into_iter().filter(|r| !keep.contains(r)).collect();
            if let Some(reader) = self.first_above(*new, &readers) {
                return Err(ShapeError::new(format!(
                    "`{}` cannot read `{}`, which depends on it",
                    self.node(reader).name,
                    self.node(*new).name
                )));
            }
        }
        Ok(Changes {
            added: self.added,
            changes: self.changes,
        })
    }

    /// One of the nodes of `wanted` that `id` depends on, or is.
    fn first_above(&self, id: NodeId, wanted: &BTreeSet<NodeId>) -> Option<NodeId> {
        if wanted.is_empty() {
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if wanted.contains(&id) {
                return Some(id);
            }
            if seen.insert(id) {
                match id.0.checked_sub(PROVISIONAL) {
                    Some(at) => open.extend(&self.added[at as usize].inputs),
                    None => open.extend(self.graph.inputs(id)),
                }
            }
        }
        None
    }
}

impl Graph {
    /// Carries out the changes of a patch of this graph.
    pub fn apply(&mut self, patch: Changes) {
        let mut ids: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        let real = |ids: &BTreeMap<NodeId, NodeId>, id: NodeId| *ids.get(&id).unwrap_or(&id);
        for (at, NewNode { node, inputs }) in patch.added.into_iter().enumerate() {
            let inputs: Vec<_> = inputs.iter().map(|&id| real(&ids, id)).collect();
            let id = self.insert(node, &inputs);
            ids.insert(NodeId(PROVISIONAL + at as u32), id);
        }
        let added: Vec<_> = ids.values().copied().collect();
        for change in patch.changes {
            match change {
                Change::Redirect { old, new, keep } => {
                    let keep: Vec<_> = keep.into_iter().chain(added.iter().copied()).collect();
                    self.redirect(real(&ids, old), real(&ids, new), &keep);
                }
                Change::SetOp { id, op } => self.node_mut(id).op = op,
                Change::Rename { id, name } => self.rename(real(&ids, id), name),
                Change::DropEffect { id } => self.retain_effects(|kept| kept != id),
                Change::Replaces { id, weight } => {
                    self.node_mut(real(&ids, id)).replaces = Some(weight);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Input;
    use crate::ops::{Affine, Relu};

    fn chain() -> (Graph, [NodeId; 3]) {
        let mut graph = Graph::default();
        let ty = TensorType::plain([4]);
        let x = graph.add(Input { ty }, &[], "x").expect("an input");
        let y = graph.add(Relu, &[x], "y").expect("it fits");
        let z = graph.add(Relu, &[y], "z").expect("it fits");
        graph.set_output("z", z);
        (graph, [x, y, z])
    }

    const DOUBLE: Affine = Affine {
        scale: 2.0,
        offset: 0.0,
    };

    #[test]
    fn nothing_changes_before_a_patch_is_applied() {
        let (mut graph, [x, y, z]) = chain();
        let before = serde_json::to_string(&graph).expect("data");
        let mut patch = Patch::new(&graph, y);
        let a = patch.add(DOUBLE, &[x], "a").expect("it fits");
        let b = patch.add(DOUBLE, &[a], "b").expect("it fits");
        patch.replace(y, b).expect("the same type");
        let changes = patch.finish().expect("no cycle");
        assert_eq!(serde_json::to_string(&graph).expect("data"), before);
        graph.apply(changes);
        let b = graph.find("y.b").expect("it was added");
        assert_eq!(graph.inputs(z), [b]);
        graph.prune();
        assert!(graph.find("y").is_none(), "nobody reads it any more");
    }

    #[test]
    fn a_patch_that_fails_half_way_leaves_no_node() {
        let (graph, [x, y, _]) = chain();
        let mut patch = Patch::new(&graph, y);
        patch.add(DOUBLE, &[x], "a").expect("it fits");
        let ty = TensorType::plain([5]);
        let other = patch.add(Input { ty }, &[], "other").expect("a leaf");
        patch.replace(y, other).expect_err("another type");
        assert_eq!(graph.len(), 3);
    }

    #[test]
    fn a_cycle_is_refused() {
        let (graph, [x, y, z]) = chain();
        let mut patch = Patch::new(&graph, y);
        let late = patch.add(DOUBLE, &[z], "late").expect("it fits");
        patch.replace(x, late).expect("the same type");
        let error = patch.finish().expect_err("a cycle");
        assert_eq!(
            error.message,
            "`y` cannot read `y.late`, which depends on it"
        );
    }
}
