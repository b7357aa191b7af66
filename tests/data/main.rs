//! Volumes, preprocessing, splits and batches.

mod bad_input;
mod cache;
mod fixtures;
mod golden;
mod hostile;
mod loader;
mod nifti;
mod phantoms;
mod predict;
mod properties;
