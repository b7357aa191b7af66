//! Measures of how well a predicted mask covers the true one: words of the language, for `metrics` and `keep`.
//!
//! A measure is a [`Measure`] record: a file of this folder and a line in [`MEASURES`]. Tables, curves, logs and the choice
//! of the best checkpoint read the record, so nothing else names a measure.

mod dsc;
mod iou;
mod measure;

use serde::{Deserialize, Deserializer, de};

pub use measure::{Better, Counts, Masks, Measure, Per, Reads};

/// Every measure, by name.
pub const MEASURES: &[Measure] = &[dsc::MEASURE, iou::MEASURE];

/// The measure of that name.
pub fn named(name: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.name == name)
}

impl<'de> Deserialize<'de> for &'static Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        named(&name).ok_or_else(|| de::Error::custom(format!("there is no measure `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_measure_is_at_home_in_its_range() {
        assert!(MEASURES.windows(2).all(|pair| pair[0].name < pair[1].name));
        let truth = [false, true, true, false];
        for measure in MEASURES {
            assert!(!measure.doc.is_empty() && !measure.title.is_empty());
            let of = |predicted: [bool; 4]| {
                measure.value(&Masks {
                    predicted: &predicted,
                    truth: &truth,
                    shape: [1, 2, 2],
                    spacing: [1.0; 3],
                })
            };
            let (same, half) = (of(truth), of([false, true, false, false]));
            assert!(measure.better.is_better(same, half), "{measure:?}");
            if let Some((low, high)) = measure.range {
                assert!([same, half].iter().all(|v| (low..=high).contains(v)));
            }
        }
    }

    #[test]
    fn no_number_is_better_than_nan_and_nan_is_no_better() {
        assert!(!Better::Higher.is_better(f64::NAN, 0.0));
        assert!(!Better::Lower.is_better(f64::NAN, 0.0));
        assert!(Better::Lower.is_better(1.0, 2.0) && !Better::Lower.is_better(2.0, 2.0));
    }
}
