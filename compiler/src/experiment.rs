//! What the sections of a file ask for, as plain values.

use serde::{Deserialize, Serialize};

use crate::names::NameMap;

pub use crate::passes::loss::Loss;
pub use crate::passes::optimiser::Optimiser;

/// Where data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Folders of KiTS19.
    Kits19,
    /// Volumes generated in memory.
    Phantom,
}

/// Settings of a `data` section. Field names and values are those that the runtime reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Where data comes from.
    pub layout: Source,
    /// The folder, where there is one.
    pub root: Option<String>,
    /// `kidney` or `tumor`.
    pub task: String,
    /// Grey values from black to white. Units: Hounsfield units.
    pub window: [f64; 2],
    /// Rows and columns of a sample.
    pub size: [usize; 2],
    /// Cases to train on: half-open ranges, `0..150, 160..180`.
    pub train: String,
    /// Cases to test on.
    pub test: String,
    /// `u8` or `f32`: how grey values are held between the window and the resize.
    pub mode: String,
    /// Side of the mean filter; 1 leaves it out.
    pub mean: usize,
    /// Side of the median filter; 1 leaves it out.
    pub median: usize,
    /// Slices that become samples: `all`, `any`, `kidney` or `tumor`.
    pub select: String,
    /// Fewest pixels of the selected label.
    pub min_pixels: usize,
    /// What the tumour task cuts out: `component` or `union`.
    pub crop: String,
    /// By how many pixels its rectangles grow on each side.
    pub pad: usize,
    /// Which labels are kidney: `union` or `strict`.
    pub kidney_mask: String,
    /// Folder of the cache, `auto` or `off`.
    pub cache: String,
    /// Random changes to training samples.
    pub augment: Augment,
    /// What is generated.
    pub phantom: Phantom,
}

/// Random changes to training samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Augment {
    /// Mirror half of the samples.
    pub flip: bool,
    /// Largest turn either way. Units: degrees.
    pub rotate: f64,
    /// Largest relative change of size either way.
    pub scale: f64,
    /// Largest exponent either way, less 1.
    pub gamma: f64,
    /// Standard deviation of added noise.
    pub noise: f64,
}

/// What the phantom source generates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phantom {
    /// Which family of patients.
    pub seed: u64,
    /// Slices of a case.
    pub slices: usize,
    /// Rows and columns of a slice.
    pub pixels: usize,
    /// Share of the cases that have a tumour.
    pub tumors: f64,
}

/// What is measured on the test split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Dice similarity coefficient.
    Dsc,
    /// Intersection over union.
    Iou,
}

/// Which checkpoint is kept beside the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The one of the epoch with the greatest mean.
    Best(Metric),
    /// None.
    Last,
}

/// What becomes of parameters that a file lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They keep their initial values.
    Keep,
    /// The run does not start.
    Refuse,
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
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Which checkpoint is kept beside the last one.
    pub keep: Keep,
    /// Saves after every so many steps too; 0: after epochs only.
    pub save_every: u64,
}

/// How large the images are that a network predicts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PredictSize {
    /// As the data section says.
    Data,
    /// As large as the slice, or as what is cut out of it.
    Native,
    /// Rows and columns.
    Given([usize; 2]),
}

/// Settings of the `predict` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictConfig {
    /// Slices that go through the network at once.
    pub batch: usize,
    /// Probability from which a pixel is foreground.
    pub threshold: f64,
    /// How large images are before the network.
    pub size: PredictSize,
}

/// One axis of a `sweep`: a setting and its values, as `-s` takes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepAxis {
    /// The setting: `train.seed`.
    pub key: String,
    /// Its values in the language's syntax.
    pub values: Vec<String>,
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
