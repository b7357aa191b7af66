//! What a run begins from: files of weights that the setting `start` names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hqcc_compiler::elaborate::print_start;
use hqcc_compiler::experiment::Missing;
use hqcc_compiler::program::Entry;
use serde_json::json;

use super::Failure;
use super::experiment::Experiment;
use crate::train::network::Network;
use crate::train::progress::Reporter;
use crate::weights::import::{Fate, Report, Wanted, import, shapes};

/// Missing parameters that an error names.
const NAMED: usize = 6;

/// The parameters of an experiment's network that a file can set.
pub struct Parameters {
    /// All of them as the source says, by path, with their shapes.
    pub state: BTreeMap<String, Vec<usize>>,
    /// Those that circuits make instead.
    pub generated: BTreeSet<String>,
}

impl Parameters {
    /// Finds them.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn of(experiment: &Experiment) -> Result<Self, Failure> {
        let graph = experiment.network(1, true)?.graph;
        let state = shapes(&Entry { graph }.state());
        let graph = experiment.rewritten(1, true)?.graph;
        let left: BTreeSet<String> = shapes(&Entry { graph }.state()).into_keys().collect();
        let generated = state.keys().filter(|path| !left.contains(*path));
        Ok(Parameters {
            generated: generated.cloned().collect(),
            state,
        })
    }
}

/// Refuses an import that leaves parameters out.
///
/// # Errors
/// There are some.
pub fn refuse_missing(report: &Report) -> Result<(), Failure> {
    let missing = report.rows.iter().filter(|row| row.fate == Fate::Missing);
    let paths: Vec<&str> = missing.filter_map(|row| row.path.as_deref()).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| format!("`{path}`"))
        .collect();
    if paths.len() > NAMED {
        shown.push(format!("and {} more", paths.len() - NAMED));
    }
    Err(Failure::new(format!(
        "{} has no weights for {}; give the part that it has as `prefix`, give its names by rules, or let the rest keep its \
         initial values: `missing = keep`",
        report.file.display(),
        shown.join(", ")
    )))
}

/// Sets the weights that the files of `start` hold, in order, and says so in one line each.
///
/// # Errors
/// A file that cannot be read or does not fit; the device's.
pub fn apply(
    experiment: &Experiment,
    network: &mut Network,
    reporter: &Reporter,
) -> Result<Vec<Report>, Failure> {
    let start = &experiment.study.train.start;
    if start.is_empty() {
        return Ok(Vec::new());
    }
    let parameters = Parameters::of(experiment)?;
    let mut reports = Vec::new();
    for given in start {
        let wanted = Wanted {
            state: &parameters.state,
            generated: &parameters.generated,
            prefix: &given.prefix,
            names: &given.names,
        };
        let (weights, report) = import(Path::new(&given.file), &wanted)?;
        if given.missing == Missing::Refuse {
            refuse_missing(&report)?;
        }
        network.overwrite(&weights).map_err(Failure::new)?;
        let value = json!({
            "file": report.file, "blake3": report.blake3, "prefix": report.prefix, "counts": report.counts(),
        });
        reporter.fact("start", &format!("start: {report}"), value);
        reports.push(report);
    }
    Ok(reports)
}

/// A setting that makes the files of `start` independent of the working directory, where one is not.
pub fn absolute(experiment: &Experiment) -> Option<String> {
    let mut start = experiment.study.train.start.clone();
    let relative = |file: &str| !Path::new(file).is_absolute();
    if !start.iter().any(|given| relative(&given.file)) {
        return None;
    }
    for given in &mut start {
        let absolute = std::path::absolute(&given.file).ok()?;
        given.file = absolute.to_string_lossy().into_owned();
    }
    Some(format!("train.start={}", print_start(&start)))
}
