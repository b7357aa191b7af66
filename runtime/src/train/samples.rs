//! Batches of a dataset for the training loop.

use crate::data::Dataset;

use super::run_loop::{Batches, Fault, Samples};

/// The two splits of a dataset, cut into batches; training batches come in an order of their own in every epoch.
pub struct SliceSamples {
    /// The splits.
    pub dataset: Dataset,
    /// Samples of a full batch; the last one of a split may be smaller.
    pub batch: usize,
    /// Seed of the order.
    pub seed: u64,
}

impl Samples for SliceSamples {
    fn batches(&self) -> u64 {
        self.dataset.train.len().div_ceil(self.batch.max(1)) as u64
    }

    fn train(&self, epoch: u64, skip: u64) -> Result<Batches<'_>, Fault> {
        let train = &self.dataset.train;
        let epoch = train.training_epoch(self.seed, epoch, self.batch, skip as usize);
        Ok(Box::new(epoch.map(|batch| Ok(batch?))))
    }

    fn test(&self) -> Result<Batches<'_>, Fault> {
        let order = self.dataset.test.ordered();
        Ok(Box::new(
            self.dataset
                .test
                .epoch(order, self.batch)
                .map(|batch| Ok(batch?)),
        ))
    }
}
