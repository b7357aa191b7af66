//! Volumes, preprocessing, splits and batches.

mod fixtures;
mod golden;
mod phantoms;
