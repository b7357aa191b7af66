//! What can go wrong.

use std::io;

use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::names::NamesError;
use hqcc_compiler::onnx::OnnxError;
use hqcc_compiler::plan::LowerError;
use hqcc_compiler::tensor_type::ShapeError;
use hqcc_compiler::wgsl::KernelError;
use thiserror::Error;

use crate::data::DataError;
use crate::executor::ExecutorError;
use crate::tensor::TensorError;
use crate::train::checkpoint::CheckpointError;
use crate::train::run_loop::TrainError;
use crate::weights::WeightsError;
use crate::weights::import::ImportError;

/// Why something asked of hqcc cannot be done.
#[derive(Debug, Error)]
pub enum Error {
    /// The source is wrong: what the compiler says, at least one error among it.
    #[error("{}", render_all(.0))]
    Source(Vec<Diagnostic>),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device.
    #[error(transparent)]
    Device(#[from] ExecutorError),
    /// A file of weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file of weights that does not fit the network.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A list of names that gives a tensor no name, or several.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training stopped short.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A network that has no ONNX form.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// An entry that has no plan.
    #[error(transparent)]
    Plan(#[from] LowerError),
    /// A kernel that a back end refuses.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A tensor whose values do not fill its shape.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A graph that refuses a change, which is a fault of hqcc.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A text that is no JSON, or values that have none.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Error::Source(diagnostics)
    }
}
