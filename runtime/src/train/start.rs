//! What a run begins from: files of weights that the setting `start` names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hqcc_compiler::Compiled;
use hqcc_compiler::experiment::Missing;
use hqcc_compiler::program::Entry;

use super::network::Network;
use super::progress::{Event, Observer};
use crate::error::{Error, StartError};
use crate::weights::import::{Fate, Report, Wanted, import, shapes};

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
    pub fn of(experiment: &Compiled<'_>) -> Result<Self, Error> {
        let graph = experiment.source_network(experiment.size(1), false)?.graph;
        let state = shapes(&Entry { graph }.state());
        let graph = experiment.network(experiment.size(1), false)?.graph;
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
pub fn refuse_missing(report: &Report) -> Result<(), StartError> {
    let missing = report.rows.iter().filter(|row| row.fate == Fate::Missing);
    let paths: Vec<&str> = missing.filter_map(|row| row.path.as_deref()).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let paths = paths.into_iter().map(str::to_owned).collect();
    Err(StartError {
        file: report.file.clone(),
        paths,
    })
}

/// Sets the weights that the files of `start` hold, in order.
///
/// # Errors
/// A file that cannot be read or does not fit; the device's.
pub fn apply(
    experiment: &Compiled<'_>,
    network: &mut Network,
    observer: Observer<'_>,
) -> Result<Vec<Report>, Error> {
    let start = &experiment.study().train.start;
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
        network.overwrite(&weights)?;
        observer(Event::Start(&report));
        reports.push(report);
    }
    Ok(reports)
}
