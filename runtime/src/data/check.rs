//! `hqcc check --data`: looks at every voxel before anything is trained.

use super::error::DataError;
use super::kits19::{self, CaseFiles, case_name};
use super::phantom;
use super::preprocess::{rectangles, selected};
use super::settings::{DataSettings, Layout};
use super::volume::{Labels, Volume};
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
    /// What is no error but may not be meant.
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
/// - Errors: every fault that is found, together.
pub fn check(
    settings: &DataSettings,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<DataReport, DataError> {
    settings.check()?;
    let mut errors = Vec::new();
    let mut jobs: Vec<(&'static str, u32, Option<CaseFiles>)> = Vec::new();
    for (split, cases) in [("train", &settings.train), ("test", &settings.test)] {
        if cases.is_empty() {
            errors.push(DataError::no_case(split));
        }
        match (settings.layout, &settings.root) {
            (Layout::Kits19, Some(root)) => match kits19::find(root, cases, split) {
                Ok(files) => jobs.extend(files.into_iter().map(|f| (split, f.case, Some(f)))),
                Err(e) => errors.push(e),
            },
            (Layout::Kits19, None) | (Layout::Phantom, _) => {
                jobs.extend(cases.iter().map(|c| (split, c, None)));
            }
        }
    }
    let mut report = DataReport::default();
    // One case after the other: a volume may be large, and its slices are looked at in parallel.
    for (i, (split, case, files)) in jobs.iter().enumerate() {
        done(i, jobs.len());
        let read = match files {
            Some(files) => kits19::read(files),
            None => Ok(phantom::generate(&settings.phantom, *case)),
        };
        match read {
            Ok((volume, labels)) => {
                let found = report_case(split, *case, &volume, &labels, settings);
                warn(&found, &volume, &mut report.warnings);
                report.cases.push(found);
            }
            Err(e) => errors.push(e),
        }
    }
    done(jobs.len(), jobs.len());
    let shared: Vec<String> = settings
        .train
        .iter()
        .filter(|c| settings.test.iter().any(|t| t == *c))
        .map(case_name)
        .collect();
    if !shared.is_empty() {
        report.warnings.push(format!(
            "in both splits, so the test measures memory: {}",
            shared.join(", ")
        ));
    }
    if errors.is_empty() {
        for (split, cases) in [("train", &settings.train), ("test", &settings.test)] {
            if report.samples(split) == 0 {
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
    settings: &DataSettings,
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
            "{name}: its values run from {lo} to {hi}; CT in Hounsfield units has air near -1000 and bone above 300"
        ));
    }
    if case.samples == 0 {
        warnings.push(format!(
            "{name}: the settings choose no sample of this case"
        ));
    }
}
