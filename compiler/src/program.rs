//! What the compiler gives to the executors: entries, each a graph to evaluate, and the state they share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Init, Input, Parameter, ParameterKind, Role};
use crate::tensor_type::TensorType;

/// Version of the stored form.
pub const FORMAT: u32 = 1;

/// Name of the entry for one optimiser step.
pub const TRAIN: &str = "train";

/// Name of the entry for loss and measures without a step.
pub const EVALUATE: &str = "evaluate";

/// A compiled model: entries by name (`train`, `evaluate`, `predict`, ...) that share state by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Version of the stored form, [`FORMAT`].
    pub format: u32,
    /// Name of the model.
    pub model: String,
    /// Graphs to evaluate.
    pub entries: BTreeMap<String, Entry>,
}

/// One graph to evaluate, for one batch size and one image size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The graph before fusion; each executor joins what it has kernels for.
    pub graph: Graph,
}

/// A tensor kept between steps and shared by entries.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    /// Its path.
    pub name: String,
    /// Its type.
    pub ty: TensorType,
    /// What it is for.
    pub kind: ParameterKind,
    /// How it starts.
    pub init: Init,
    /// The name that its initial random numbers depend on: its own, or that of the parameter whose initial value it keeps.
    pub stream: String,
}

impl Entry {
    /// The tensors that the host hands in at each step, by name.
    pub fn inputs(&self) -> Vec<(String, TensorType)> {
        let inputs = self
            .graph
            .ids()
            .filter(|&id| self.graph.op::<Input>(id).is_some());
        inputs
            .map(|id| (self.graph.name(id).to_owned(), self.graph.ty(id).clone()))
            .collect()
    }

    /// The tensors that a step gives back, by name.
    pub fn outputs(&self) -> Vec<(String, TensorType)> {
        self.graph
            .outputs()
            .iter()
            .map(|(name, &id)| (name.clone(), self.graph.ty(id).clone()))
            .collect()
    }

    /// The state that the graph reads or changes, in order of creation.
    pub fn state(&self) -> Vec<StateTensor> {
        self.graph
            .ids()
            .filter_map(|id| {
                let p = self.graph.op::<Parameter>(id)?;
                let name = self.graph.name(id).to_owned();
                let stream = match &self.graph.node(id).origin.role {
                    Role::Start { of } => of.clone(),
                    _ => name.clone(),
                };
                Some(StateTensor {
                    name,
                    stream,
                    ty: p.ty.clone(),
                    kind: p.kind,
                    init: p.init,
                })
            })
            .collect()
    }
}

impl Program {
    /// The state of all entries, each tensor once, by name.
    pub fn state(&self) -> BTreeMap<String, StateTensor> {
        let tensors = self.entries.values().flat_map(Entry::state);
        let mut state: BTreeMap<String, StateTensor> = BTreeMap::new();
        for tensor in tensors {
            // A weight that one entry trains and another only reads counts as trained.
            match state.get(&tensor.name) {
                Some(known) if known.kind == ParameterKind::Trained => {}
                _ => {
                    state.insert(tensor.name.clone(), tensor);
                }
            }
        }
        state
    }
}
