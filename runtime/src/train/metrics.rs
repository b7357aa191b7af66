//! Measures over a split: a value for each sample or case, then mean and standard deviation.
//!
//! A mask is the foreground: where the only logit is above 0 (probability above one half), or, with several classes,
//! where the largest logit is not that of class 0.

use std::collections::BTreeMap;
use std::fmt;

use hqcc_compiler::measures::{Counts, Masks, Measure, Per, Reads};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::SampleOrigin;

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

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.mean, self.sd)
    }
}

/// The results of measures, in the order in which the experiment names them. As data it is a map from name to spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured(pub Vec<(&'static Measure, Spread)>);

impl Measured {
    /// The result of one measure.
    pub fn get(&self, measure: &Measure) -> Option<Spread> {
        let mut results = self.0.iter();
        results
            .find(|(known, _)| *known == measure)
            .map(|(_, spread)| *spread)
    }

    /// The results as fields of a JSON object.
    pub fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        let results = self.0.iter();
        results
            .map(|(measure, Spread { mean, sd })| {
                let spread = serde_json::json!({ "mean": mean, "sd": sd });
                (measure.name.to_owned(), spread)
            })
            .collect()
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (measure, spread) in &self.0 {
            map.serialize_entry(measure, spread)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Measured;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mean and a standard deviation for each measure")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measured, A::Error> {
                let mut results = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    results.push(entry);
                }
                Ok(Measured(results))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// What the network made of one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedSample {
    /// Foreground pixels.
    pub counts: Counts,
    /// The predicted and the true mask, where a measure reads them.
    pub masks: Option<[Vec<bool>; 2]>,
}

/// The slices of a case that were judged so far.
#[derive(Clone, Debug, Default)]
struct Stack {
    counts: Counts,
    masks: [Vec<bool>; 2],
    slices: usize,
}

impl Stack {
    fn add(&mut self, sample: &JudgedSample) {
        self.counts.add(&sample.counts);
        self.slices += 1;
        if let Some(masks) = &sample.masks {
            for (all, mask) in self.masks.iter_mut().zip(masks) {
                all.extend(mask);
            }
        }
    }

    fn value(&self, measure: &Measure, source: &SampleOrigin) -> f64 {
        match measure.reads {
            Reads::Counts(of) => of(&self.counts),
            Reads::Masks(of) => of(&Masks {
                predicted: &self.masks[0],
                truth: &self.masks[1],
                shape: [self.slices, source.size[0], source.size[1]],
                spacing: source.spacing,
            }),
        }
    }
}

/// Collects the values of measures over a split.
#[derive(Clone, Debug)]
pub struct Scores {
    measures: Vec<&'static Measure>,
    values: BTreeMap<&'static str, Vec<f64>>,
    samples: usize,
    case: Option<(SampleOrigin, Stack)>,
}

impl Scores {
    /// Nothing yet, for these measures.
    pub fn new(measures: &[&'static Measure]) -> Self {
        Scores {
            measures: measures.to_vec(),
            values: BTreeMap::new(),
            samples: 0,
            case: None,
        }
    }

    /// Adds one sample. The samples of a case follow each other.
    pub fn add(&mut self, sample: &JudgedSample, source: &SampleOrigin) {
        self.samples += 1;
        let mut alone = Stack::default();
        alone.add(sample);
        for measure in self.measures.iter().filter(|m| m.per == Per::Sample) {
            let value = alone.value(measure, source);
            self.values.entry(measure.name).or_default().push(value);
        }
        if self.measures.iter().any(|m| m.per == Per::Case) {
            if self
                .case
                .as_ref()
                .is_some_and(|(known, _)| known.case != source.case)
            {
                self.finish_case();
            }
            let (_, stack) = self.case.get_or_insert_with(|| (*source, Stack::default()));
            stack.add(sample);
        }
    }

    fn finish_case(&mut self) {
        let Some((source, stack)) = self.case.take() else {
            return;
        };
        for measure in self.measures.iter().filter(|m| m.per == Per::Case) {
            let value = stack.value(measure, &source);
            self.values.entry(measure.name).or_default().push(value);
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Mean and spread of each measure.
    pub fn finish(mut self) -> Measured {
        self.finish_case();
        let spread = |measure: &'static Measure| {
            let values = self.values.get(measure.name);
            (measure, Spread::of(values.map_or(&[], Vec::as_slice)))
        };
        Measured(
            self.measures
                .iter()
                .map(|measure| spread(measure))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hqcc_compiler::measures::Better;

    /// Reads masks and spacing, and is summed up per case: the volume of the prediction in cubic millimetres.
    static VOLUME: Measure = Measure {
        name: "volume",
        title: "volume",
        doc: "for this test",
        reads: Reads::Masks(|masks| {
            let voxels = masks.predicted.iter().filter(|inside| **inside).count();
            assert_eq!(masks.predicted.len(), masks.shape.iter().product::<usize>());
            voxels as f64 * masks.spacing.iter().product::<f64>()
        }),
        per: Per::Case,
        better: Better::Lower,
        range: None,
    };

    fn sample(predicted: [bool; 2], truth: [bool; 2]) -> JudgedSample {
        JudgedSample {
            counts: Counts::of(predicted, truth),
            masks: Some([predicted.to_vec(), truth.to_vec()]),
        }
    }

    #[test]
    fn a_measure_per_case_sees_all_slices_of_the_case_and_the_spacing() {
        let dsc = hqcc_compiler::measures::named("dsc").expect("it is there");
        let mut scores = Scores::new(&[dsc, &VOLUME]);
        let source = |case, spacing| SampleOrigin {
            case,
            size: [1, 2],
            spacing,
        };
        let first = source(3, [5.0, 1.0, 0.5]);
        scores.add(&sample([true, true], [true, true]), &first);
        scores.add(&sample([true, false], [false, true]), &first);
        scores.add(&sample([false, true], [false, true]), &source(4, [1.0; 3]));
        assert_eq!(scores.samples(), 3);
        let results = scores.finish();
        let mean = results.get(dsc).map(|spread| spread.mean);
        assert_eq!(mean, Some(2.0 / 3.0));
        let volume = results.get(&VOLUME).map(|spread| spread.mean);
        assert_eq!(volume, Some((3.0 * 2.5 + 1.0) / 2.0), "two cases");
    }

    #[test]
    fn results_are_read_back_as_they_were_written() {
        let dsc = hqcc_compiler::measures::named("dsc").expect("it is there");
        let spread = Spread { mean: 0.1, sd: 0.2 };
        let results = Measured(vec![(dsc, spread)]);
        let text = serde_json::to_string(&results).expect("data");
        assert_eq!(text, r#"{"dsc":{"mean":0.1,"sd":0.2}}"#);
        let read: Measured = serde_json::from_str(&text).expect("data");
        assert_eq!(read, results);
        assert!(serde_json::from_str::<Measured>(r#"{"no":{"mean":1,"sd":1}}"#).is_err());
    }
}
