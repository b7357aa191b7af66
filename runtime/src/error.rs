//! What can go wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::fault::Fault;
use hqcc_compiler::names::NamesError;
use hqcc_compiler::onnx::OnnxError;
use hqcc_compiler::plan::LowerError;
use hqcc_compiler::tensor_type::ShapeError;
use hqcc_compiler::wgsl::KernelError;

use crate::data::DataError;
use crate::executor::ExecutorError;
use crate::tensor::TensorError;
use crate::threads::ThreadsError;
use crate::train::checkpoint::CheckpointError;
use crate::train::folder_error::FolderError;
use crate::train::run_loop::TrainError;
use crate::train::standing::StandingError;
use crate::weights::WeightsError;
use crate::weights::import::ImportError;

/// Why something asked of hqcc cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source is wrong: what the compiler says, at least one error among it.
    #[error("{}", render_all(.0))]
    Source(Vec<Diagnostic>),
    /// The file names no data.
    #[error(
        "the file names no data: add `data NAME = phantom {{ ... }}` and `data = NAME` in `train`"
    )]
    NoData,
    /// The file does not say how to train.
    #[error("{source_file} has no `train` section: there is nothing to run")]
    NoTrain {
        /// The file.
        source_file: String,
    },
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
    /// A file that a run begins from and that lacks weights.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A network that does not have what training needs.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Training came to a number that is not finite.
    #[error(transparent)]
    Diverged(Box<Diverged>),
    /// A prediction.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// A network that cannot be written under other names.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// An experiment that was edited while its run was interrupted.
    #[error(
        "{} is not what the run began with: {}; change it back, or start a new run with `hqcc run {}`",
        .experiment.display(), .changes.join("; "), .experiment.display()
    )]
    Changed {
        /// The file.
        experiment: PathBuf,
        /// What is another than at the beginning.
        changes: Vec<String>,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of a run.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A run that has lost something.
    #[error(transparent)]
    Standing(#[from] StandingError),
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
    /// A fault of hqcc.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The threads of the process cannot be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A text that is no JSON, or values that have none.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Missing parameters that an error names.
const NAMED: usize = 6;

/// A file that a run begins from lacks weights.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} has no weights for {}; give the part that it has as `prefix`, give its names by rules, or let the rest keep its \
     initial values: `missing = keep`",
    .file.display(),
    some(.paths)
)]
pub struct StartError {
    /// The file.
    pub file: PathBuf,
    /// The parameters that it lacks.
    pub paths: Vec<String>,
}

/// The first few paths in words.
fn some(paths: &[String]) -> String {
    let shown = paths.iter().take(NAMED);
    let mut shown: Vec<String> = shown.map(|path| format!("`{path}`")).collect();
    if paths.len() > NAMED {
        shown.push(format!("and {} more", paths.len() - NAMED));
    }
    shown.join(", ")
}

/// A program does not have what training needs.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No entry of a role takes a batch of this size.
    #[error("the program has no entry `{role}` for a batch of {batch}; it has {known}")]
    NoEntry {
        /// `train` or `evaluate`.
        role: &'static str,
        /// Samples of the batch.
        batch: usize,
        /// What there is.
        known: String,
    },
    /// An entry does not return the expected outputs.
    #[error("entry `{entry}` gives no `{output}`")]
    NoOutput {
        /// The entry.
        entry: String,
        /// The output.
        output: &'static str,
    },
}

/// Why a network cannot predict.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The network cannot take images of a size.
    #[error(
        "the network cannot take {} x {}: {reason}; it was built for {} x {}, so images may have at most that: set \
         `predict.size = [{}, {}]`",
        .size[0], .size[1], .built[0], .built[1], .built[0], .built[1]
    )]
    Size {
        /// Rows and columns of the images.
        size: [usize; 2],
        /// Rows and columns that the network was trained at.
        built: [usize; 2],
        /// What stands against it.
        reason: String,
    },
    /// The network has no image input, or no such output.
    #[error("the network has no {0}")]
    Lacks(&'static str),
    /// A weight that is computed from finite parameters and is not finite itself.
    #[error(
        "`{name}` is {value} once it is computed from the checkpoint's parameters, which are finite; the network has diverged"
    )]
    NotFinite {
        /// The weight.
        name: String,
        /// Its first value that is not finite.
        value: f32,
    },
}

/// Why a network cannot be written under other names.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The model has no list of PyTorch's names.
    #[error(
        "`{model}` has no list of names `PyTorch`: add `names PyTorch {{ foreign.path => here.path }}` to its file"
    )]
    NoNames {
        /// The model.
        model: String,
    },
    /// Two tensors have one name.
    #[error("the list `PyTorch` gives `{name}` to several tensors, `{tensor}` among them")]
    TwiceNamed {
        /// The name.
        name: String,
        /// One of the tensors.
        tensor: String,
    },
}

/// Training came to a number that is not finite.
#[derive(Debug)]
pub struct Diverged {
    /// The first such number that was seen.
    pub error: TrainError,
    /// The node and the step that gave the first one, where they could be found.
    pub began_with: Option<String>,
    /// The last checkpoint and its step, or why there is none.
    pub good: Result<(PathBuf, u64), String>,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        if let Some(place) = &self.began_with {
            write!(f, "\n  it began with {place}")?;
        }
        match &self.good {
            Ok((file, step)) => write!(
                f,
                "\n  the last good checkpoint is {} (after step {step})",
                file.display()
            ),
            Err(why) => write!(f, "\n  there is no good checkpoint: {why}"),
        }
    }
}

impl std::error::Error for Diverged {}

impl From<Vec<Diagnostic>> for Error {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Error::Source(diagnostics)
    }
}
