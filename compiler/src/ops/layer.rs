//! Layer functions: what a person calls in a model, and what such a call adds to the graph.

use std::collections::BTreeMap;

use crate::graph::{Graph, Init, NodeId, Op, Parameter, ParameterKind, WeightKind};
use crate::quantum::ansatz::Ansatz;
use crate::tensor_type::{ShapeError, TensorType};

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within bounds.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A real number.
    Float,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of whole numbers.
    Ints,
    /// A circuit, by its name.
    Circuit,
}

/// The value of a setting after evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A word.
    Word(String),
    /// A list of whole numbers.
    Ints(Vec<i64>),
    /// The gates of a circuit.
    Circuit(Ansatz),
}

/// A setting of a layer function. Settings may also be given by position, after the tensors.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its default, in .hqc syntax; without one it must be given. `auto` means that the layer derives it.
    pub default: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Setting {
    /// The value of the default; `None` where there is none, or where it is `auto`.
    pub fn default_value(&self) -> Option<SettingValue> {
        let text = self.default.filter(|text| *text != "auto")?;
        match self.kind {
            Kind::Int { .. } => text.parse().ok().map(SettingValue::Int),
            Kind::Float => text.parse().ok().map(SettingValue::Float),
            Kind::Bool => text.parse().ok().map(SettingValue::Bool),
            Kind::Word(_) => Some(SettingValue::Word(text.to_owned())),
            Kind::Ints => {
                let inner = text.trim_matches(['[', ']']).split(',');
                let ints = inner.map(|int| int.trim().parse().ok());
                ints.collect::<Option<Vec<_>>>().map(SettingValue::Ints)
            }
            Kind::Circuit => (text == "hqc_tf").then(|| SettingValue::Circuit(Ansatz::hqc_tf())),
        }
    }
}

/// The settings of one call. A setting whose default is `auto` and which was not given is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub BTreeMap<&'static str, SettingValue>);

impl Settings {
    /// A whole number that stands there or has a default.
    ///
    /// # Errors
    /// The setting is absent.
    pub fn int(&self, name: &str) -> Result<usize, ShapeError> {
        self.maybe_int(name)
            .ok_or_else(|| ShapeError::new(format!("setting `{name}` is missing")))
    }

    /// A whole number, if it was given.
    pub fn maybe_int(&self, name: &str) -> Option<usize> {
        match self.0.get(name) {
            Some(&SettingValue::Int(value)) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// A real number, or 0 when absent.
    pub fn float(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(&SettingValue::Float(value)) => value,
            Some(&SettingValue::Int(value)) => value as f64,
            _ => 0.0,
        }
    }

    /// A truth value, or false when absent.
    pub fn bool(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(SettingValue::Bool(true)))
    }

    /// A word, or an empty one when absent.
    pub fn word(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(SettingValue::Word(word)) => word,
            _ => "",
        }
    }

    /// A circuit, if it is there.
    pub fn circuit(&self, name: &str) -> Option<&Ansatz> {
        match self.0.get(name) {
            Some(SettingValue::Circuit(ansatz)) => Some(ansatz),
            _ => None,
        }
    }

    /// These settings, and the defaults of those that are not among them.
    #[must_use]
    pub fn filled<'s>(&self, all: impl IntoIterator<Item = &'s Setting>) -> Settings {
        let mut filled = self.clone();
        for setting in all {
            if let (false, Some(value)) =
                (filled.0.contains_key(setting.name), setting.default_value())
            {
                filled.0.insert(setting.name, value);
            }
        }
        filled
    }

    /// A list of whole numbers, or an empty one when absent.
    pub fn ints(&self, name: &str) -> Vec<usize> {
        match self.0.get(name) {
            Some(SettingValue::Ints(list)) => list.iter().map(|&v| v.max(0) as usize).collect(),
            _ => Vec::new(),
        }
    }
}

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
                quantum: false,
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
                quantum: false,
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
                quantum: false,
            },
            &[],
            suffix,
        )
    }
}
