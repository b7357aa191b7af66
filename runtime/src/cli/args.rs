//! Arguments that several commands share.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use super::messages::MessageFormat;
use crate::train::folder::Which;

/// Writes a command's result to standard output.
///
/// # Errors
/// The reader went away, or the file system refuses.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(output_failure)
}

/// What a command does when standard output refuses its result.
pub fn output_failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::new(format!("cannot write to standard output: {error}")),
    }
}

/// A progress bar with the time left, on standard error; silent where that is no terminal. Dropped, it goes away.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over pieces of work.
    pub fn start(what: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{msg}  {wide_bar:.green} {pos}/{len}  {eta} left")
        {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_message(what.to_owned());
        Bar(bar)
    }

    /// `done` of `total` pieces are done.
    pub fn set(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A `.hqc` file and the settings that the command line changes.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The .hqc file.
    pub file: PathBuf,
    /// Change a setting; the value is in .hqc syntax. May be given several times.
    ///
    /// `-s train.epochs=5`, `-s data.root=volumes`, `-s train.optim='sgd(lr = 0.1)'`
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckpointArg {
    /// The best epoch's; the last one's where none is kept.
    #[default]
    Best,
    /// The newest.
    Last,
}

impl From<CheckpointArg> for Which {
    fn from(argument: CheckpointArg) -> Which {
        match argument {
            CheckpointArg::Best => Which::Best,
            CheckpointArg::Last => Which::Last,
        }
    }
}

/// Which device computes.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// auto, cpu, gpu, a part of an adapter's name, or its number in `hqcc devices`.
    ///
    /// `auto` takes a hardware GPU if there is one, otherwise the CPU.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
}

/// How messages are written.
#[derive(Debug, Args)]
pub struct MessageArgs {
    /// How messages are written.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub message_format: MessageFormat,
}
