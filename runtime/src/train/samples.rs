//! Batches of a dataset for the training loop.

use crate::data::{self, Dataset};
use crate::tensor::Tensor;

use super::metrics::Source;
use super::run_loop::{Batch, Batches, Fault, Samples};

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
        Ok(Box::new(epoch.map(|batch| tensors(train, batch))))
    }

    fn test(&self) -> Result<Batches<'_>, Fault> {
        let test = &self.dataset.test;
        let epoch = test.epoch(test.ordered(), self.batch);
        Ok(Box::new(epoch.map(|batch| tensors(test, batch))))
    }
}

/// A loader's batch as tensors.
fn tensors(
    split: &data::Split,
    batch: Result<data::Batch, data::DataError>,
) -> Result<Batch, Fault> {
    let data::Batch {
        shape,
        images,
        masks,
        samples,
    } = batch?;
    let [n, _, h, w] = shape;
    Ok(Batch {
        images: Tensor::new(shape, images)?,
        targets: Tensor::new([n, 1, h, w], masks)?,
        sources: sources(split, &samples),
    })
}

/// Where samples of a split come from, as measures need it.
pub fn sources(split: &data::Split, samples: &[usize]) -> Vec<Source> {
    let source = |&i: &usize| {
        let info = split.info(i);
        Source {
            case: info.case,
            size: split.size,
            spacing: info.place.spacing,
        }
    };
    samples.iter().map(source).collect()
}
