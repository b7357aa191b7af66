//! How well a predicted mask covers the true one: IoU and DSC per sample, then mean and standard deviation.
//!
//! A mask is the foreground: where the only logit is above 0 (probability above one half), or, with several classes,
//! where the largest logit is not that of class 0.

use serde::{Deserialize, Serialize};

/// Foreground pixels of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Foreground in both masks.
    pub both: u64,
    /// Foreground of the predicted mask.
    pub predicted: u64,
    /// Foreground of the true mask.
    pub truth: u64,
}

impl Overlap {
    /// Counts two masks of equal length, pixel by pixel.
    pub fn of(
        predicted: impl IntoIterator<Item = bool>,
        truth: impl IntoIterator<Item = bool>,
    ) -> Self {
        let mut counts = Overlap::default();
        for (p, t) in predicted.into_iter().zip(truth) {
            counts.both += u64::from(p && t);
            counts.predicted += u64::from(p);
            counts.truth += u64::from(t);
        }
        counts
    }

    /// Dice similarity coefficient 2|P∩T| / (|P|+|T|). Two empty masks agree: 1. One empty mask: 0.
    pub fn dsc(&self) -> f64 {
        ratio(2 * self.both, self.predicted + self.truth)
    }

    /// Intersection over union |P∩T| / |P∪T|. Two empty masks agree: 1. One empty mask: 0.
    pub fn iou(&self) -> f64 {
        ratio(self.both, self.predicted + self.truth - self.both)
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// Mean and population standard deviation (divided by n, not n - 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The population standard deviation.
    pub sd: f64,
}

impl Spread {
    /// Of the given values; of none, both are 0.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        Spread {
            mean,
            sd: variance.sqrt(),
        }
    }
}

/// IoU and DSC of each sample seen so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    dsc: Vec<f64>,
    iou: Vec<f64>,
}

impl Scores {
    /// Adds one sample.
    pub fn add(&mut self, counts: &Overlap) {
        self.dsc.push(counts.dsc());
        self.iou.push(counts.iou());
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.dsc.len()
    }

    /// Whether no sample was added.
    pub fn is_empty(&self) -> bool {
        self.dsc.is_empty()
    }

    /// Mean and spread of the DSC.
    pub fn dsc(&self) -> Spread {
        Spread::of(&self.dsc)
    }

    /// Mean and spread of the IoU.
    pub fn iou(&self) -> Spread {
        Spread::of(&self.iou)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_masks_have_their_values() {
        let both = Overlap::of([false; 4], [false; 4]);
        assert_eq!((both.dsc(), both.iou()), (1.0, 1.0));
        let one = Overlap::of([false, true], [false, false]);
        assert_eq!((one.dsc(), one.iou()), (0.0, 0.0));
    }
}
