//! Trains networks for segmentation and predicts with them, on any GPU through wgpu or on the CPU.
//!
//! [`open`] compiles a `.hqc` file, [`Device::open`] opens what computes. [`train`] makes a run in a folder of its own,
//! [`resume`] goes on with one that was stopped, [`evaluate`] measures it, a [`Predictor`] segments volumes with it, and
//! [`export`] writes it for other programs. Whoever wants to show what happens is told by [`Event`]s. Every function
//! gives an [`Error`] that prints itself; nothing is printed besides.
//!
//! ```
//! let experiment = hqcc::open("../models/quickstart.hqc", &["train.epochs=2"])?;
//! assert_eq!(experiment.study().train.epochs, 2);
//! # Ok::<(), hqcc::Error>(())
//! ```
//!
//! What is documented here is meant for users. The other modules are the inside of hqcc: its command line and its tests
//! reach them, they follow no version, and they are left out of the documentation.

#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod cpu;
#[doc(hidden)]
pub mod data;
#[doc(hidden)]
pub mod device;
#[doc(hidden)]
pub mod durable;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod executor;
#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod gpu;
#[doc(hidden)]
pub mod predict;
#[doc(hidden)]
pub mod random;
mod regular_file;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod tensor;
#[doc(hidden)]
pub mod threads;
#[doc(hidden)]
pub mod train;
#[doc(hidden)]
pub mod weights;

#[doc(inline)]
pub use data::{DataError, Geometry, Labels, MaskBuilder, Volume};
#[doc(inline)]
pub use device::Device;
#[doc(inline)]
pub use error::{Diverged, Error, ExportError, NetworkError, PredictError, StartError};
#[doc(inline)]
pub use executor::{DeviceInfo, Executor, ExecutorError};
#[doc(inline)]
pub use export::{Formats, export};
pub use hqcc_compiler::{Compiled, Diagnostic};
#[doc(inline)]
pub use predict::Predictor;
#[doc(inline)]
pub use source::open;
#[doc(inline)]
pub use tensor::Tensor;
#[doc(inline)]
pub use train::checkpoint::CheckpointError;
#[doc(inline)]
pub use train::folder::{RunFolder, RunInfo, Which};
#[doc(inline)]
pub use train::metrics::{Measured, Spread};
#[doc(inline)]
pub use train::progress::{EpochSummary, Event, Observer};
#[doc(inline)]
pub use train::run_loop::{Ending, Results, TrainError};
#[doc(inline)]
pub use train::saved::SavedRun;
#[doc(inline)]
pub use train::session::{Trained, evaluate, resume, train};
#[doc(inline)]
pub use weights::import::ImportError;
#[doc(inline)]
pub use weights::{Weights, WeightsError};
