//! `hqcc check --data`: looks at every voxel before anything is trained.

use super::case::Case;
use super::error::{DataError, number};
use super::preprocess::{rectangles, selected};
use super::volume::{Labels, Volume};
use hqcc_compiler::experiment::{DataSettings, Preprocessing};
use rayon::prelude::*;
use serde::Serialize;

/// What a case holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseReport {
    /// `train` or `test`.
    pub split: &'static str,
    /// Case number.
    pub case: u32,
    /// Slices, rows, columns.
    pub shape: [usize; 3],
    /// Units: millimetres.
    pub spacing: [f64; 3],
    /// Smallest and largest value. Units: Hounsfield units.
    pub range: [f64; 2],
    /// Voxels of labels 1 and 2.
    pub voxels: [u64; 2],
    /// Samples that the settings choose.
    pub samples: usize,
}

/// What the data of both splits hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataReport {
    /// Every case, in order of splits.
    pub cases: Vec<CaseReport>,
    /// Findings that are not errors but may be unintended.
    pub warnings: Vec<String>,
}

impl DataReport {
    /// Samples of a split.
    pub fn samples(&self, split: &str) -> usize {
        let cases = self.cases.iter().filter(|c| c.split == split);
        cases.map(|c| c.samples).sum()
    }
}

/// Reads all cases of both splits and reports what they hold; `done` hears the cases read and the cases in all.
///
/// # Errors
/// Every fault that is found, together.
pub fn check(
    settings: &DataSettings,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<DataReport, DataError> {
    DataError::settings(settings.faults())?;
    let mut errors = Vec::new();
    let mut all: Vec<(&'static str, Case)> = Vec::new();
    for (split, cases) in [("train", &settings.train), ("test", &settings.test)] {
        match Case::of(&settings.source, cases, split) {
            Ok(found) => all.extend(found.into_iter().map(|case| (split, case))),
            Err(e) => errors.push(e),
        }
    }
    let mut report = DataReport::default();
    // One case after the other: a volume may be large, and its slices are looked at in parallel.
    for (i, (split, case)) in all.iter().enumerate() {
        done(i, all.len());
        match case.read() {
            Ok((volume, labels)) => {
                let settings = &settings.preprocessing;
                let found = report_case(split, case.number(), &volume, &labels, settings);
                warn(&found, &volume, &mut report.warnings);
                report.cases.push(found);
            }
            Err(e) => errors.push(e),
        }
    }
    done(all.len(), all.len());
    if errors.is_empty() {
        for (split, cases) in [("train", &settings.train), ("test", &settings.test)] {
            if report.samples(split) == 0 {
                let settings = &settings.preprocessing;
                errors.push(DataError::no_sample(split, cases.len(), settings));
            }
        }
    }
    DataError::all(errors).map_or(Ok(report), Err)
}

fn report_case(
    split: &'static str,
    case: u32,
    volume: &Volume,
    labels: &Labels,
    settings: &Preprocessing,
) -> CaseReport {
    let [slices, rows, columns] = volume.geometry.shape;
    let of_slice = |z: usize| {
        let values = volume.slice(z);
        let lo = values.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let here = labels.slice(z);
        let count = |label: u8| here.iter().filter(|l| **l == label).count() as u64;
        let samples = if selected(here, settings) {
            rectangles(here, [rows, columns], settings).len()
        } else {
            0
        };
        ([lo, hi], [count(1), count(2)], samples)
    };
    let found: Vec<_> = (0..slices).into_par_iter().map(of_slice).collect();
    let mut report = CaseReport {
        split,
        case,
        shape: volume.geometry.shape,
        spacing: volume.geometry.spacing,
        range: [f64::INFINITY, f64::NEG_INFINITY],
        voxels: [0, 0],
        samples: 0,
    };
    for ([lo, hi], voxels, samples) in found {
        report.range = [report.range[0].min(lo), report.range[1].max(hi)];
        report.voxels = [report.voxels[0] + voxels[0], report.voxels[1] + voxels[1]];
        report.samples += samples;
    }
    report
}

fn warn(case: &CaseReport, volume: &Volume, warnings: &mut Vec<String>) {
    let name = volume.path.display();
    let [lo, hi] = case.range;
    if lo >= 0.0 || hi <= 0.0 {
        warnings.push(format!(
            "{name}: its values run from {} to {}; CT in Hounsfield units has air near -1000 and bone above 300",
            number(lo),
            number(hi)
        ));
    }
    if case.samples == 0 {
        warnings.push(format!(
            "{name}: the settings choose no sample of this case"
        ));
    }
}
