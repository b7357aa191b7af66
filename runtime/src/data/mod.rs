//! Data: volumes on disk, layouts, preprocessing to the bit, phantoms, and batches prepared ahead.
//!
//! `Dataset::open` is the way in for training; `Volume` and `preprocess` serve prediction.

mod anatomy;
mod augment;
mod cache;
mod case;
mod check;
mod error;
pub mod filters;
mod header;
pub mod kits19;
mod loader;
mod orientation;
pub mod phantom;
mod place;
mod predict;
pub mod preprocess;
pub mod resize;
mod store;
mod volume;

pub use hqcc_compiler::experiment::{
    Augment, Cache, Cases, Crop, DataSettings, KidneyMask, Kits19, Mode, Phantom, Preprocessing,
    Select, Source, Task,
};

pub use check::{CaseReport, DataReport, check};
pub use error::DataError;
pub use header::{Element, Geometry};
pub use loader::{Batch, Dataset, Epoch, Progress, Sample, SampleInfo, SampleOrigin, Split};
pub use phantom::write_phantom;
pub use place::{Place, Rect};
pub use predict::{MaskBuilder, SliceInput, inputs};
pub use preprocess::Record;
pub use volume::{Labels, Volume, Voxels, read_geometry};
