//! `hqcc run`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::args::{DeviceArgs, MessageArgs, SourceArgs};
use super::open::{open, open_device};
use super::reporter::Reporter;
use super::results::{show, tell};
use crate::train::interrupt;
use crate::train::session::train;

/// Train the network of a .hqc file and leave a folder with everything that came of it.
///
/// The folder `runs/<name>-<n>` holds the experiment with every setting resolved, `metrics.jsonl` and `metrics.csv`, curves
/// and pictures, `graph.dot`, and the checkpoints `last.safetensors` and `best.safetensors`. After each epoch the network is
/// measured on the test split: DSC and IoU of each sample, then mean and standard deviation (two empty masks count 1, one
/// empty mask 0). Ctrl-C ends after the batch and saves; `hqcc resume` goes on to the same bits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc run first.hqc\n  \
    hqcc run first.hqc --device cpu -s train.epochs=20 -s train.seed=2\n  \
    hqcc run models/qunet.hqc -s data.root=/data/kits19/data --name kidney\n  \
    hqcc run first.hqc --message-format json | jq 'select(.reason == \"epoch\")'")]
pub struct RunCommand {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Name of the run; the file's name if not given.
    #[arg(long)]
    name: Option<String>,
    /// Folder of all runs.
    #[arg(long, default_value = "runs", value_name = "DIR")]
    runs: PathBuf,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

impl RunCommand {
    /// Trains.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let experiment = open(&self.source.file, &self.source.set, format)?;
        let name = match &self.name {
            Some(name) => valid_name(name)?,
            None => stem(&self.source.file),
        };
        let mut reporter = Reporter::new(format);
        // Where a second handler is refused, the first one is ours.
        let _ = interrupt::catch();
        let device = open_device(&self.device.device, &reporter)?;
        let trained = train(
            experiment,
            device,
            &self.runs,
            &name,
            &interrupt::asked,
            &mut |event| tell(&mut reporter, event),
        );
        show(trained, &reporter)
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(
        || "run".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}

fn valid_name(name: &str) -> Result<String, Failure> {
    let fine = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fine) {
        return Err(Failure::new(format!(
            "`{name}` cannot name a run: use letters, digits, `-`, `_` and `.`"
        )));
    }
    Ok(name.to_owned())
}
