//! What a measure is, and what it reads.

use std::fmt;

use serde::{Serialize, Serializer};

/// A measure of a predicted mask against the true one.
pub struct Measure {
    /// The word of the language; also the column, the key and the file of its curve.
    pub name: &'static str,
    /// What tables call it.
    pub title: &'static str,
    /// One sentence of documentation, with the unit.
    pub doc: &'static str,
    /// What it reads and how it is computed.
    pub reads: Reads,
    /// What one value of it belongs to. The mean and the standard deviation are those of these values.
    pub per: Per,
    /// Which values are better.
    pub better: Better,
    /// Least and greatest value, where there are such; the axis of its curve.
    pub range: Option<(f64, f64)>,
}

/// What a measure reads, and its value.
#[derive(Clone, Copy, Debug)]
pub enum Reads {
    /// Numbers of foreground pixels.
    Counts(fn(&Counts) -> f64),
    /// The two masks and the distance between pixels.
    Masks(fn(&Masks<'_>) -> f64),
}

/// What one value of a measure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A sample: a slice, or the part that is cut out of it.
    Sample,
    /// A case: its samples one above the other.
    Case,
}

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The higher one.
    Higher,
    /// The lower one.
    Lower,
}

impl Better {
    /// Whether `value` is better than `than`. Equal values are not, and neither is NaN.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Better::Higher => value > than,
            Better::Lower => value < than,
        }
    }
}

/// Numbers of foreground pixels in a predicted and a true mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Foreground in both masks.
    pub both: u64,
    /// Foreground in the predicted mask.
    pub predicted: u64,
    /// Foreground in the true mask.
    pub truth: u64,
}

impl Counts {
    /// Counts two masks of equal length, pixel by pixel.
    pub fn of(
        predicted: impl IntoIterator<Item = bool>,
        truth: impl IntoIterator<Item = bool>,
    ) -> Self {
        let mut counts = Counts::default();
        for (p, t) in predicted.into_iter().zip(truth) {
            counts.both += u64::from(p && t);
            counts.predicted += u64::from(p);
            counts.truth += u64::from(t);
        }
        counts
    }

    /// Adds the pixels of another pair of masks.
    pub fn add(&mut self, other: &Counts) {
        self.both += other.both;
        self.predicted += other.predicted;
        self.truth += other.truth;
    }
}

/// A part of a whole; 1 where both masks are empty and so agree.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// A predicted and a true mask: slices one above the other, a single one for a sample.
#[derive(Clone, Copy, Debug)]
pub struct Masks<'a> {
    /// Foreground of the prediction, `[slices, rows, columns]`.
    pub predicted: &'a [bool],
    /// Foreground of the truth, of the same shape.
    pub truth: &'a [bool],
    /// `[slices, rows, columns]`.
    pub shape: [usize; 3],
    /// Distance between the centres of neighbouring pixels along each axis. Units: millimetres.
    pub spacing: [f64; 3],
}

impl Masks<'_> {
    /// Numbers of foreground pixels.
    pub fn counts(&self) -> Counts {
        Counts::of(self.predicted.iter().copied(), self.truth.iter().copied())
    }
}

impl Measure {
    /// Its value for two masks.
    pub fn value(&self, masks: &Masks<'_>) -> f64 {
        match self.reads {
            Reads::Counts(of) => of(&masks.counts()),
            Reads::Masks(of) => of(masks),
        }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
