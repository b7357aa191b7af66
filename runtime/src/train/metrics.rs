//! How well a predicted mask covers the true one: IoU and DSC per sample, then mean and standard deviation.

use serde::{Deserialize, Serialize};

/// Pixels of one class in one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Pixels of the class in both masks.
    pub both: u64,
    /// Pixels of the class in the predicted mask.
    pub predicted: u64,
    /// Pixels of the class in the true mask.
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
    /// Adds one sample: its foreground classes, each scored by itself, count equally.
    pub fn add(&mut self, classes: &[Overlap]) {
        let mean = |f: fn(&Overlap) -> f64| {
            classes.iter().map(f).sum::<f64>() / classes.len().max(1) as f64
        };
        self.dsc.push(mean(Overlap::dsc));
        self.iou.push(mean(Overlap::iou));
    }

    /// Adds a batch of network outputs.
    ///
    /// With one class a pixel belongs to it where the logit is above 0 (probability above one half) and the target is
    /// above one half. With more, class 0 is the background, a pixel belongs to the class of the largest logit (the
    /// first of equals), and the target holds class numbers.
    ///
    /// Shapes: `logits` [N, K, H, W] row-major, `target` [N, 1, H, W].
    pub fn add_batch(&mut self, [n, classes, pixels]: [usize; 3], logits: &[f32], target: &[f32]) {
        for sample in 0..n {
            let logits = &logits[sample * classes * pixels..][..classes * pixels];
            let target = &target[sample * pixels..][..pixels];
            let overlaps: Vec<Overlap> = if classes == 1 {
                vec![Overlap::of(
                    logits.iter().map(|&z| z > 0.0),
                    target.iter().map(|&t| t > 0.5),
                )]
            } else {
                let labels = largest(classes, logits);
                (1..classes)
                    .map(|class| {
                        let truth = target.iter().map(|&t| t.round() as usize == class);
                        Overlap::of(labels.iter().map(|&l| l == class), truth)
                    })
                    .collect()
            };
            self.add(&overlaps);
        }
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

/// The class of the largest logit at each pixel; `logits` is [K, pixels].
pub fn largest(classes: usize, logits: &[f32]) -> Vec<usize> {
    let pixels = logits.len() / classes.max(1);
    (0..pixels)
        .map(|p| {
            (1..classes).fold(0, |best, c| {
                if logits[c * pixels + p] > logits[best * pixels + p] {
                    c
                } else {
                    best
                }
            })
        })
        .collect()
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

    #[test]
    fn several_classes_are_scored_by_the_largest_logit() {
        let mut scores = Scores::default();
        // Two pixels, three classes; predicted 1 and 2, true 1 and 0.
        let logits = [0.0, 0.0, 1.0, 0.0, 0.0, 2.0];
        scores.add_batch([1, 3, 2], &logits, &[1.0, 0.0]);
        assert_eq!(scores.dsc(), Spread { mean: 0.5, sd: 0.0 });
        assert_eq!(scores.len(), 1);
    }
}
