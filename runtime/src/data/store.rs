//! Where the preprocessed samples of a case lie until an epoch asks for them.

use super::error::DataError;
use super::preprocess::{Record, Rect};

/// One sample's place in its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Slice of the volume.
    pub slice: usize,
    /// Where on the slice.
    pub rect: Rect,
}

/// The samples of one case.
#[derive(Debug)]
pub enum CaseStore {
    /// In memory.
    Memory(Vec<Record>),
}

impl CaseStore {
    /// The places of the samples, in order.
    pub fn places(&self) -> Vec<Place> {
        match self {
            CaseStore::Memory(records) => records
                .iter()
                .map(|r| Place {
                    slice: r.slice,
                    rect: r.rect,
                })
                .collect(),
        }
    }

    /// Image and mask of sample `i`.
    ///
    /// - Errors: a cache file that vanished or changed since it was opened.
    pub fn read(&self, i: usize) -> Result<(Vec<f32>, Vec<u8>), DataError> {
        match self {
            CaseStore::Memory(records) => Ok((records[i].image.clone(), records[i].mask.clone())),
        }
    }
}
