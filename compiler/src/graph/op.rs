//! What an operation is to the graph. The graph knows no op by name.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Backward, NodeId, Read, Scalar};
use crate::onnx::{OnnxError, OnnxNode};
use crate::plan::{LowerError, Lowering};
use crate::tensor_type::{ShapeError, TensorType};

/// An operation with its attributes: shape rule, gradient rule and cost.
///
/// A struct that implements it derives `Serialize` and `Deserialize` (its attributes are its fields), calls
/// [`op_identity!`](crate::op_identity) in the implementation, and stands in [`OPS`](crate::ops::OPS).
pub trait Op: Any + Debug + Send + Sync {
    /// The one name of the op: `shaders/<name>.wgsl`, the CPU twin, the test cases.
    fn name(&self) -> &'static str;

    /// The attributes as data.
    fn attributes(&self) -> serde_json::Value;

    /// The type of the output.
    ///
    /// # Errors
    /// Inputs that do not go together.
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError>;

    /// Adds the nodes that carry the gradient `dy` of the output to the inputs, one entry per input; `None` where
    /// no gradient flows. `back.needs(i)` says whether input `i` wants one.
    ///
    /// # Errors
    /// The op has no gradient.
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let _ = (back, dy);
        Err(ShapeError::new(format!(
            "`{}` has no gradient",
            self.name()
        )))
    }

    /// Floating-point operations of one evaluation; a multiply-add counts as two.
    fn flops(&self, inputs: &[TensorType], output: &TensorType) -> u64 {
        let _ = inputs;
        output.elements() as u64
    }

    /// Inputs whose memory the op overwrites (optimiser state, running statistics). The output is the new value
    /// of the first of them and lies in its memory.
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

    /// Adds the dispatches that compute the output on a GPU.
    ///
    /// # Errors
    /// The op has no kernel, or none for these inputs.
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        match self.scalar(&lowering.input_types()) {
            Some(scalar) => lowering.scalar(scalar),
            None => Err(lowering.no_kernel()),
        }
    }

    /// Adds the ONNX operations that compute the output, on tensors in their logical order and without the batch size as
    /// a constant. What only trains, and what parameters alone decide (circuits, adapters), has none.
    ///
    /// # Errors
    /// The op has no ONNX form, or none for these inputs.
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        Err(node.unsupported(""))
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

/// Supplies `name` and `attributes` inside an `impl Op`.
#[macro_export]
macro_rules! op_identity {
    ($name:literal) => {
        fn name(&self) -> &'static str {
            $name
        }
        fn attributes(&self) -> serde_json::Value {
            $crate::graph::attributes_of(self)
        }
    };
}

/// The fields of an op as JSON.
pub fn attributes_of<T: Serialize>(op: &T) -> serde_json::Value {
    serde_json::to_value(op).unwrap_or(serde_json::Value::Null)
}

/// A row of the op table: the name, one line of documentation, and how to read the op back.
pub struct OpInfo {
    /// The op's name.
    pub name: &'static str,
    /// What it computes.
    pub doc: &'static str,
    /// Makes the op from its attributes.
    pub read: fn(serde_json::Value) -> Result<Arc<dyn Op>, serde_json::Error>,
}

impl OpInfo {
    /// The row of the op `T`.
    pub const fn of<T: Op + DeserializeOwned>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            doc,
            read: |value| Ok(Arc::new(serde_json::from_value::<T>(value)?)),
        }
    }
}
