//! Layer functions: the functions that a model calls, and the nodes that each call adds to the graph.

use std::fmt;

use crate::graph::{Graph, Init, NodeId, Op, Parameter, ParameterKind, WeightKind};
use crate::setting::{Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType};

/// A layer function of the language.
pub struct LayerInfo {
    /// Its name.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// Least and greatest number of tensors.
    pub tensors: (usize, usize),
    /// Its settings, in positional order.
    pub settings: &'static [Setting],
    /// Adds the layer to the graph and gives its output.
    pub build: fn(&mut Builder<'_>, &[NodeId], &Settings) -> Result<NodeId, ShapeError>,
}

impl fmt::Debug for LayerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a layer adds its nodes with. The layer's output node is named by its path; parameters and inner nodes
/// are named `<path>.<suffix>`.
pub struct Builder<'g> {
    /// The graph under construction.
    pub graph: &'g mut Graph,
    /// The layer's path.
    pub path: String,
    /// Whether normalisations use batch statistics and move their running ones.
    pub training: bool,
}

impl Builder<'_> {
    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> TensorType {
        self.graph.ty(id).clone()
    }

    /// Adds the layer's output node.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn output(&mut self, op: impl Op, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        self.graph.set_layer(&self.path);
        self.graph.add(op, inputs, self.path.clone())
    }

    /// Adds an inner node.
    ///
    /// # Errors
    /// The op refuses its inputs.
    pub fn add(
        &mut self,
        op: impl Op,
        inputs: &[NodeId],
        suffix: &str,
    ) -> Result<NodeId, ShapeError> {
        self.graph.set_layer(&self.path);
        self.graph
            .add(op, inputs, format!("{}.{suffix}", self.path))
    }

    /// Adds a trained parameter.
    ///
    /// # Errors
    /// None in practice; a leaf takes no input.
    pub fn parameter(
        &mut self,
        suffix: &str,
        ty: TensorType,
        init: Init,
    ) -> Result<NodeId, ShapeError> {
        let kind = ParameterKind::Trained;
        self.add(
            Parameter {
                ty,
                kind,
                init,
                weight: None,
            },
            &[],
            suffix,
        )
    }

    /// Adds the weight of a layer, which a circuit can generate instead.
    ///
    /// # Errors
    /// None in practice; a leaf takes no input.
    pub fn weight(
        &mut self,
        ty: TensorType,
        init: Init,
        weight: WeightKind,
    ) -> Result<NodeId, ShapeError> {
        let kind = ParameterKind::Trained;
        self.add(
            Parameter {
                ty,
                kind,
                init,
                weight: Some(weight),
            },
            &[],
            "weight",
        )
    }

    /// Adds a running statistic.
    ///
    /// # Errors
    /// None in practice; a leaf takes no input.
    pub fn statistic(
        &mut self,
        suffix: &str,
        ty: TensorType,
        value: f64,
    ) -> Result<NodeId, ShapeError> {
        let init = Init::Constant { value };
        self.add(
            Parameter {
                ty,
                kind: ParameterKind::Statistic,
                init,
                weight: None,
            },
            &[],
            suffix,
        )
    }
}
