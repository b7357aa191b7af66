//! `hqcc eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Failure;
use super::args::{DeviceArgs, MessageArgs};
use super::experiment::Experiment;
use super::session::{Session, open_device};
use crate::report::table::grouped;
use crate::train::folder::RunFolder;
use crate::train::network::EVALUATE;
use crate::train::progress::Reporter;
use crate::train::run_loop::evaluate;
use crate::weights;

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The best epoch's; the last one's where none is kept.
    #[default]
    Best,
    /// The newest.
    Last,
}

impl Which {
    /// The file in a run's folder.
    pub fn file(self, folder: &RunFolder) -> PathBuf {
        let best = folder.best();
        if self == Which::Best && best.is_file() {
            best
        } else {
            folder.last()
        }
    }
}

/// Measure a trained network on the test split of its data.
///
/// DSC and IoU of each sample, then mean and standard deviation; two empty masks count 1, one empty mask 0.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc eval runs/first-1\n  \
    hqcc eval runs/first-1 --checkpoint last -s data.test=20..40")]
pub struct Eval {
    /// Folder of the run.
    run: PathBuf,
    /// The checkpoint.
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// Change a setting of the run, such as its data.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Eval {
    /// Evaluates.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let folder = RunFolder::open(&self.run)?;
        let experiment = Experiment::open(
            &folder.experiment().display().to_string(),
            &self.set,
            format,
        )?;
        let reporter = Reporter::new(format);
        let executor = open_device(&self.device.device, &reporter)?;
        let mut session =
            Session::prepare(experiment, executor, &[EVALUATE], folder.path(), &reporter)?;
        let file = self.checkpoint.file(&folder);
        let (state, _) = weights::load(&file)?;
        session.network.restore(&state).map_err(Failure::new)?;
        let measures = &session.experiment.study.train.metrics;
        let results = evaluate(&mut session.network, &session.samples, measures)?;
        let words = results.measures.0.iter();
        let words: String = words
            .map(|(measure, spread)| format!("{} {spread}, ", measure.title))
            .collect();
        let text = format!(
            "{} on {} test samples: {words}loss {:.4}",
            file.display(),
            grouped(results.samples as u64),
            results.loss
        );
        let mut value = json!({ "checkpoint": file, "samples": results.samples });
        if let Some(value) = value.as_object_mut() {
            value.extend(results.measures.fields());
            value.insert("loss".into(), results.loss.into());
        }
        reporter.fact("results", &text, value);
        Ok(())
    }
}
