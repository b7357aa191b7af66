//! What the sections of a file ask for, as plain values.

mod data;
mod predict;
mod table;
pub mod train;
mod words;

use serde::{Deserialize, Serialize};

use crate::measures::Measure;
use crate::names::NameMap;
use crate::setting::SettingValue;
use words::words;

pub use crate::cases::Cases;
pub use data::{
    Augment, Cache, Crop, DataSettings, Fault, KidneyMask, Kits19, Mode, Phantom, Preprocessing,
    Select, Source, Task, path_words,
};
pub use predict::{PredictConfig, PredictSize};
pub use table::{Typed, Visitor};

pub use crate::passes::loss::Loss;
pub use crate::passes::optimiser::Optimiser;

/// Which checkpoint is kept beside the last one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The one of the epoch with the best mean of a measure.
    Best(&'static Measure),
    /// None.
    Last,
}

words! {
    /// What becomes of parameters that a file lacks.
    pub enum Missing {
        /// They keep their initial values.
        Keep = "keep",
        /// The run does not start.
        Refuse = "refuse",
    }
}

/// A file of weights that a run begins from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartConfig {
    /// The file.
    pub file: String,
    /// The path below which its tensors belong; empty for the whole network.
    pub prefix: String,
    /// How its names map to paths.
    pub names: NameMap,
    /// That list as the file names it; empty for none.
    pub names_as: String,
    /// What becomes of parameters that it lacks.
    pub missing: Missing,
}

/// Settings of the `train` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Files of weights that the run begins from, applied in order.
    pub start: Vec<StartConfig>,
    /// The terms of the loss and their weights.
    pub loss: Vec<(f64, Loss)>,
    /// The optimiser.
    pub optim: Optimiser,
    /// Samples in a batch.
    pub batch: usize,
    /// Times that all training samples are seen.
    pub epochs: u64,
    /// Decides initial weights, the order of samples and their changes.
    pub seed: u64,
    /// What is measured on the test split, in the order of tables and columns.
    pub metrics: Vec<&'static Measure>,
    /// Which checkpoint is kept beside the last one.
    pub keep: Keep,
    /// Saves after every so many steps too; 0: after epochs only.
    pub save_every: u64,
}

/// A setting with where its value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// `train`, `predict`, or the head of a data section.
    pub section: String,
    /// The setting.
    pub key: String,
    /// Its value in the language's syntax.
    pub value: String,
    /// `default`, `file:line` or `-s key=value`.
    pub origin: String,
}
