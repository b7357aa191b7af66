//! Leaves: what comes from outside the graph. They are the only ops that the graph, the plan and ONNX files know by name.

use serde::{Deserialize, Serialize};

use super::{Graph, Named, NodeId, Op};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `input`: a tensor that the host hands in at each step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// Its type.
    pub ty: TensorType,
}

/// `constant`: every element is `value`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Constant {
    /// Its type.
    pub ty: TensorType,
    /// The value of every element.
    pub value: f64,
}

/// What a tensor that is kept between steps is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// Changed by the optimiser.
    Trained,
    /// Left as it is.
    Frozen,
    /// Running statistics of a normalisation.
    Statistic,
    /// State of the optimiser.
    Moment,
    /// Kept and saved like a trained one, but read by nothing (`@unused`).
    Unused,
}

/// Which layer a weight belongs to, and so which of its axes are outputs and inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightKind {
    /// `[C_out, C_in / groups, KH, KW]`.
    Conv,
    /// `[C_in, C_out / groups, KH, KW]`.
    ConvTranspose,
    /// `[C_out, C_in]`.
    Linear,
}

/// How a parameter starts. Random values depend on the seed and the parameter's name alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Init {
    /// Every element the same.
    Constant {
        /// That value.
        value: f64,
    },
    /// Uniform in `[low, high)`.
    Uniform {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Normal around 0, redrawn outside `[-2, 2]` (absolute, as PyTorch's `trunc_normal_` bounds).
    TruncatedNormal {
        /// Standard deviation before the cut.
        std: f64,
    },
}

impl Init {
    /// PyTorch's default for convolutions and linear layers: uniform in +-1/sqrt(fan_in), which is
    /// Kaiming-uniform with a = sqrt(5).
    pub fn fan_in(fan_in: usize) -> Self {
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        Self::Uniform {
            low: -bound,
            high: bound,
        }
    }
}

/// `parameter`: a tensor kept between steps and shared by all entries of a program under the node's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameter {
    /// Its type.
    pub ty: TensorType,
    /// What it is for.
    pub kind: ParameterKind,
    /// How it starts.
    pub init: Init,
    /// Set on the weight of a layer, the tensor that a circuit can generate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<WeightKind>,
}

/// Whether a node comes from outside the graph.
pub fn is_leaf(graph: &Graph, id: NodeId) -> bool {
    let op = &graph.node(id).op;
    op.downcast::<Input>().is_some()
        || op.downcast::<Constant>().is_some()
        || op.downcast::<Parameter>().is_some()
}

impl Named for Input {
    const NAME: &'static str = "input";
    const DOC: &'static str = "a tensor that the host hands in at each step";
}

impl Op for Input {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity::<0>(inputs).map(|_| self.ty.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Named for Constant {
    const NAME: &'static str = "constant";
    const DOC: &'static str = "a tensor of one value";
}

impl Op for Constant {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity::<0>(inputs).map(|_| self.ty.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Named for Parameter {
    const NAME: &'static str = "parameter";
    const DOC: &'static str = "a tensor kept between steps";
}

impl Op for Parameter {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity::<0>(inputs).map(|_| self.ty.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}
