//! What both executors offer: state by name, entries by name, steps handed in and collected in order.

use std::collections::BTreeMap;

use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::TensorType;
use serde::Serialize;

use crate::tensor::Tensor;

/// The device behind an executor.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceInfo {
    /// `cpu` or `gpu`.
    pub kind: &'static str,
    /// The device's own name.
    pub name: String,
    /// Driver and its version, or the instruction set of a CPU.
    pub driver: String,
    /// Threads of a CPU executor.
    pub threads: Option<usize>,
}

/// Outputs of one step, by name.
pub type Outputs = BTreeMap<String, Tensor>;

/// Evaluates entries of a program. State tensors live on the device under their paths and are shared by all entries
/// loaded; a step changes them in place.
pub trait Executor {
    /// The device.
    fn device(&self) -> &DeviceInfo;

    /// Prepares an entry under a name and allocates what it needs; state that exists keeps its values, new state
    /// is zero until it is written.
    ///
    /// # Errors
    /// The device lacks memory or refuses a kernel.
    fn load(&mut self, name: &str, entry: &Entry) -> Result<(), ExecutorError>;

    /// Sets a state tensor.
    ///
    /// # Errors
    /// No loaded entry has it, or its shape is another.
    fn write(&mut self, name: &str, value: &Tensor) -> Result<(), ExecutorError>;

    /// Reads a state tensor, after all steps handed in so far.
    ///
    /// # Errors
    /// No loaded entry has it, or the device fails.
    fn read(&mut self, name: &str) -> Result<Tensor, ExecutorError>;

    /// Hands in a step of a loaded entry. Returns before the step is done where the device allows it.
    ///
    /// # Errors
    /// An input is missing or has another shape, or the device fails.
    fn submit(&mut self, entry: &str, inputs: &[(&str, &Tensor)]) -> Result<(), ExecutorError>;

    /// The outputs of the oldest step not collected yet; `None` when none is outstanding.
    ///
    /// # Errors
    /// The device failed.
    fn collect(&mut self) -> Result<Option<Outputs>, ExecutorError>;

    /// Steps handed in and not collected.
    fn outstanding(&self) -> usize;

    /// Hands in one step and waits for its outputs.
    ///
    /// # Errors
    /// As [`Executor::submit`] and [`Executor::collect`]; steps still outstanding.
    fn run(&mut self, entry: &str, inputs: &[(&str, &Tensor)]) -> Result<Outputs, ExecutorError> {
        if self.outstanding() > 0 {
            return Err(ExecutorError::Outstanding {
                steps: self.outstanding(),
            });
        }
        self.submit(entry, inputs)?;
        self.collect()?
            .ok_or(ExecutorError::Outstanding { steps: 0 })
    }
}

/// Why a device refuses a request or fails.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// No adapter fits the request.
    #[error("{message}")]
    Device {
        /// What was asked for, what there is, and what to do.
        message: String,
    },
    /// The device has too little memory.
    #[error(
        "`{entry}` needs {needed} bytes on {device}, which offers {available}: {what}; use a smaller batch or image size"
    )]
    Memory {
        /// The entry.
        entry: String,
        /// The device.
        device: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
        /// The limit that is exceeded.
        what: String,
    },
    /// An allocation that failed although the limits allow it.
    #[error(
        "{device} has no room for `{buffer}` of {bytes} bytes (entry `{entry}`): {message}; use a smaller batch or image size"
    )]
    OutOfMemory {
        /// The entry.
        entry: String,
        /// The device.
        device: String,
        /// The node whose output the buffer holds.
        buffer: String,
        /// Its size.
        bytes: u64,
        /// What the driver said.
        message: String,
    },
    /// A name that no loaded entry has.
    #[error("no loaded program has {what} `{name}`")]
    Unknown {
        /// What was looked for, with its article.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// An input or state tensor of another shape.
    #[error("`{name}` is f32{expected:?}, but f32{found:?} was given")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// What was given.
        found: Vec<usize>,
    },
    /// An op that this executor has no implementation of.
    #[error("the {kind} executor has no `{op}` (node `{node}`)")]
    Unsupported {
        /// The executor.
        kind: &'static str,
        /// The op.
        op: String,
        /// The node.
        node: String,
    },
    /// A fault of hqcc.
    #[error(transparent)]
    Fault(#[from] hqcc_compiler::fault::Fault),
    /// The driver refused a kernel or a command.
    #[error("{device}: {message} (node `{node}`, kernel `{kernel}`)")]
    Kernel {
        /// The device.
        device: String,
        /// The kernel.
        kernel: String,
        /// The node.
        node: String,
        /// What the driver said.
        message: String,
    },
    /// The device is gone.
    #[error(
        "{device} was lost: {message}; the last checkpoint is kept, `hqcc resume` continues from it"
    )]
    Lost {
        /// The device.
        device: String,
        /// What the driver said.
        message: String,
    },
    /// Steps handed in and not collected.
    #[error("{steps} steps are still outstanding")]
    Outstanding {
        /// How many.
        steps: usize,
    },
}

/// What both executors say of names and shapes that they do not have.
impl ExecutorError {
    /// No loaded entry has that state tensor.
    pub(crate) fn no_state(name: &str) -> Self {
        Self::unknown("a state tensor", name)
    }

    /// No entry was loaded under that name.
    pub(crate) fn no_entry(name: &str) -> Self {
        Self::unknown("an entry", name)
    }

    /// An input of the entry was not given.
    pub(crate) fn no_input(name: &str) -> Self {
        Self::unknown("a value for input", name)
    }

    fn unknown(what: &'static str, name: &str) -> Self {
        Self::Unknown {
            what,
            name: name.to_owned(),
        }
    }
}

/// Refuses a value whose shape is not that of the tensor it is for.
///
/// # Errors
/// The shapes differ.
pub(crate) fn check_shape(
    name: &str,
    ty: &TensorType,
    value: &Tensor,
) -> Result<(), ExecutorError> {
    if ty.shape == value.shape() {
        return Ok(());
    }
    Err(ExecutorError::Shape {
        name: name.to_owned(),
        expected: ty.shape.clone(),
        found: value.shape().to_vec(),
    })
}
