//! Keeps the preprocessed samples of a case, in memory or in the cache, until an epoch reads them.

use super::cache::CachedCase;
use super::error::DataError;
use super::place::Place;
use super::preprocess::Record;

/// The samples of one case.
#[derive(Debug)]
pub enum CaseStore {
    /// In memory.
    Memory(Vec<Record>),
    /// In a file of the cache.
    Cached(Box<CachedCase>),
}

impl CaseStore {
    /// The places of the samples, in order.
    pub fn places(&self) -> Vec<Place> {
        match self {
            CaseStore::Memory(records) => records.iter().map(|record| record.place).collect(),
            CaseStore::Cached(case) => case.places().to_vec(),
        }
    }

    /// Image and mask of sample `i`.
    ///
    /// # Errors
    /// A damaged cache file whose case cannot be prepared again.
    pub fn read(&self, i: usize) -> Result<(Vec<f32>, Vec<u8>), DataError> {
        match self {
            CaseStore::Memory(records) => Ok((records[i].image.clone(), records[i].mask.clone())),
            CaseStore::Cached(case) => case.read(i),
        }
    }
}
