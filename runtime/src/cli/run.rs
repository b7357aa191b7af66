//! `hqcc run`.

use std::path::{Path, PathBuf};

use clap::Args;
use hqcc_compiler::dot::{DotOptions, to_dot};
use hqcc_compiler::experiment::Source;
use hqcc_compiler::syntax::print::quote;

use super::Failure;
use super::args::{DeviceArgs, MessageArgs, SourceArgs};
use super::experiment::Experiment;
use super::session::{Session, open_device, trained_parameters};
use super::start;
use crate::train::checkpoint::Position;
use crate::train::folder::{RunFolder, RunInfo};
use crate::train::network::{EVALUATE, TRAIN};
use crate::train::progress::Reporter;

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
    messages: MessageArgs,
}

impl RunCommand {
    /// Trains.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let source = self.source.file.display().to_string();
        let mut experiment = Experiment::open(&source, &self.source.set, format)?;
        if !experiment.study.has_train {
            return Err(Failure::new(format!(
                "{source} has no `train` section: there is nothing to run"
            )));
        }
        let absolute: Vec<String> = absolute_root(&experiment)
            .into_iter()
            .chain(start::absolute(&experiment))
            .collect();
        if !absolute.is_empty() {
            let settings: Vec<String> = self.source.set.iter().cloned().chain(absolute).collect();
            experiment = Experiment::open(&source, &settings, format)?;
        }
        let name = match &self.name {
            Some(name) => valid_name(name)?,
            None => stem(&self.source.file),
        };
        let mut reporter = Reporter::new(format);
        let executor = open_device(&self.device.device, &reporter)?;
        let roles = [TRAIN, EVALUATE];
        let mut session = Session::prepare(
            experiment,
            executor,
            &roles,
            &self.runs.join(&name),
            &reporter,
        )?;
        let seed = session.experiment.study.train.seed;
        session.network.initialise(seed)?;
        let started = start::apply(&session.experiment, &mut session.network, &reporter)?;

        let folder = RunFolder::create(&self.runs, &name).map_err(|e| {
            Failure::new(format!(
                "cannot make a folder in {}: {e}",
                self.runs.display()
            ))
        })?;
        let (text, copies) = session.experiment.resolved();
        std::fs::write(folder.experiment(), text)?;
        for copy in copies {
            folder.write(&copy.name, &copy.text)?;
        }
        let network = session
            .experiment
            .rewritten(session.experiment.study.train.batch, true)?;
        let options = DotOptions {
            title: network.model.clone(),
            ..DotOptions::default()
        };
        if !started.is_empty() {
            folder.write(
                "start.json",
                &(serde_json::to_string_pretty(&started)? + "\n"),
            )?;
        }
        folder.write("graph.dot", &to_dot(&network.graph, &options))?;
        let device = session.network.executor().device();
        folder.write_info(&RunInfo {
            hqcc: env!("CARGO_PKG_VERSION").to_owned(),
            device: super::device::words(device),
            device_request: self.device.device.clone(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            threads: device.threads.unwrap_or(1),
            seed,
            source,
            overrides: self.source.set.clone(),
            trained_parameters: trained_parameters(&session.program),
        })?;
        reporter.remark(&format!("run: {}", folder.path().display()));
        session.train(&folder, Position::start(seed), &mut reporter)
    }
}

/// A setting that makes the root of the data independent of the working directory.
fn absolute_root(experiment: &Experiment) -> Option<String> {
    let Source::Kits19(settings) = &experiment.study.data.as_ref()?.source else {
        return None;
    };
    let root = settings.root.as_ref()?;
    if root.is_absolute() {
        return None;
    }
    let absolute = std::path::absolute(root).ok()?;
    Some(format!("data.root={}", quote(&absolute.to_string_lossy())))
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
