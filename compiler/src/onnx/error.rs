//! Why a graph has no ONNX form.

use crate::fault::Fault;

/// Why a graph has no ONNX form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// An op that says nothing about ONNX, or not for these inputs.
    #[error("`{node}`: the op `{op}` cannot be written as ONNX{why}")]
    Unsupported {
        /// The node.
        node: String,
        /// Its op.
        op: &'static str,
        /// The reason, after a colon; empty where the op has no ONNX form at all.
        why: String,
    },
    /// A parameter without a value.
    #[error("there is no value for `{0}`")]
    NoValue(String),
    /// A value of another size than the parameter's.
    #[error("`{name}` has {found} values, not {expected}")]
    Size {
        /// The parameter.
        name: String,
        /// What was given.
        found: usize,
        /// What its shape asks for.
        expected: usize,
    },
    /// A fault of hqcc.
    #[error(transparent)]
    Fault(#[from] Fault),
}
