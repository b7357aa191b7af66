//! What an operation is to the graph. The graph knows no op by name.

use std::any::Any;
use std::fmt::Debug;

use serde::Serialize;

use super::{Read, Scalar};
use crate::tensor_type::{ShapeError, TensorType};

/// An op's name and documentation, written once: tables, messages and the executors read them here.
pub trait Named {
    /// The one name of the op; its kernel is `shaders/<name>.wgsl`.
    const NAME: &'static str;

    /// What it computes, in one line.
    const DOC: &'static str;
}

/// Name and attributes of an op whose type is not known. Every [`Named`] struct with fields as data has them.
pub trait Identity {
    /// The name of the op.
    fn name(&self) -> &'static str;

    /// The attributes as data.
    fn attributes(&self) -> serde_json::Value;
}

impl<T: Named + Serialize> Identity for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn attributes(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or(serde_json::Value::Null)
    }
}

/// An operation with its attributes: shape rule, cost and scalar form. How it is differentiated, lowered to kernels and
/// written as ONNX are traits of their own, which the table of ops joins with it.
///
/// A struct that implements it is [`Named`] and derives `Serialize` and `Deserialize`: its attributes are its fields.
pub trait Op: Identity + Any + Debug + Send + Sync {
    /// The type of the output.
    ///
    /// # Errors
    /// Inputs that do not go together.
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError>;

    /// Floating-point operations of one evaluation; a multiply-add counts as two.
    fn flops(&self, inputs: &[TensorType], output: &TensorType) -> u64 {
        let _ = inputs;
        output.elements() as u64
    }

    /// Inputs whose memory the op overwrites (optimiser state, running statistics). The output is the new value
    /// of the first of them and uses its memory.
    fn overwrites(&self) -> &'static [usize] {
        &[]
    }

    /// Whether output element `i` depends on element `i` of the (broadcast) inputs alone.
    fn element_wise(&self) -> bool {
        false
    }

    /// The op as a function of single elements, for kernels that chain such functions. An op that is
    /// [element-wise](Op::element_wise) needs no line for it.
    fn scalar(&self, inputs: &[TensorType]) -> Option<Scalar> {
        let arguments = (0..inputs.len())
            .map(|input| (input, Read::Broadcast))
            .collect();
        self.element_wise().then(|| Scalar {
            arguments,
            constants: self.attributes(),
        })
    }

    /// Whether the op moves no bytes: its output is its input under another shape.
    fn is_view(&self) -> bool {
        false
    }
}

impl dyn Op {
    /// The op as its own struct.
    pub fn downcast<T: Op>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}
