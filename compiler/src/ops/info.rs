//! A row of the table of ops: the only place where an op, its gradient, its kernels and its ONNX form meet.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::graph::{Gradient, Named, Op};
use crate::onnx::ToOnnx;
use crate::plan::Lower;

/// An op as the table knows it. Each function gives the op under another trait; `None` where the op is of another type
/// than the row's.
pub struct OpInfo {
    /// The op's name.
    pub name: &'static str,
    /// What it computes.
    pub doc: &'static str,
    /// Makes the op from its attributes.
    pub read: fn(serde_json::Value) -> Result<Arc<dyn Op>, serde_json::Error>,
    pub(super) gradient: fn(&dyn Op) -> Option<&dyn Gradient>,
    pub(super) lower: fn(&dyn Op) -> Option<&dyn Lower>,
    pub(super) onnx: fn(&dyn Op) -> Option<&dyn ToOnnx>,
}

impl OpInfo {
    /// The row of the op `T`.
    pub const fn of<T: Named + Gradient + Lower + ToOnnx + DeserializeOwned>() -> Self {
        Self {
            gradient: |op| op.downcast::<T>().map(|op| op as &dyn Gradient),
            lower: |op| op.downcast::<T>().map(|op| op as &dyn Lower),
            onnx: |op| op.downcast::<T>().map(|op| op as &dyn ToOnnx),
            ..Self::leaf::<T>()
        }
    }

    /// The row of the leaf `T`. A leaf has no inputs to differentiate for, and plans and ONNX files hold it as memory.
    pub const fn leaf<T: Named + Op + DeserializeOwned>() -> Self {
        Self {
            name: T::NAME,
            doc: T::DOC,
            read: |value| Ok(Arc::new(serde_json::from_value::<T>(value)?)),
            gradient: |_| None,
            lower: |_| None,
            onnx: |_| None,
        }
    }
}
