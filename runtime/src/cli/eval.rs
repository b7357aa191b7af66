//! `hqcc eval`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::args::{CheckpointArg, DeviceArgs, MessageArgs, output_failure};
use super::open::{open_device, open_run};
use super::reporter::Reporter;
use crate::report::table::grouped;
use crate::train::session::evaluate;

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
    checkpoint: CheckpointArg,
    /// Change a setting of the run, such as its data.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

impl Eval {
    /// Evaluates.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let run = open_run(&self.run, &self.set, format)?;
        let mut reporter = Reporter::new(format);
        let device = open_device(&self.device.device, &reporter)?;
        let which = self.checkpoint.into();
        let file = run.checkpoint(which)?;
        let results = evaluate(run, which, device, &mut |event| reporter.event(event))?;
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
        let printed = reporter.result("results", &text, value);
        printed.map_err(output_failure)
    }
}
