//! `hqcc resume`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::args::MessageArgs;
use super::experiment::Experiment;
use super::session::{Session, open_device};
use super::start;
use crate::train::checkpoint;
use crate::train::folder::RunFolder;
use crate::train::network::{EVALUATE, TRAIN};
use crate::train::progress::Reporter;

/// Go on with a run that was interrupted or killed.
///
/// Parameters, optimiser, random streams, position in the data and metrics go on from the last checkpoint, and the run ends
/// with the same bits as one that was never interrupted, as long as the device is the same. A run that is complete only
/// shows its results.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hqcc resume runs/first-1")]
pub struct Resume {
    /// Folder of the run.
    run: PathBuf,
    /// Another device than the run was started with; the bits then differ.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Resume {
    /// Trains to the end.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let folder = RunFolder::open(&self.run)?;
        let info = folder.read_info()?;
        let experiment = Experiment::open(&folder.experiment().display().to_string(), &[], format)?;
        let mut reporter = Reporter::new(format);
        let request = self.device.as_ref().unwrap_or(&info.device_request);
        let executor = open_device(request, &reporter)?;
        let words = super::device::words(executor.device());
        if words != info.device {
            reporter.remark(&format!(
                "note: the run began on {}; on another device the last bits differ",
                info.device
            ));
        }
        let mut session = Session::prepare(
            experiment,
            executor,
            &[TRAIN, EVALUATE],
            folder.path(),
            &reporter,
        )?;
        let position = if folder.last().is_file() {
            let (state, position) = checkpoint::load(&folder.last())?;
            session.network.restore(&state).map_err(Failure::new)?;
            position
        } else {
            // It was stopped before its first checkpoint.
            session.network.initialise(info.seed)?;
            start::apply(&session.experiment, &mut session.network, &reporter)?;
            checkpoint::Position::start(info.seed)
        };
        let (epoch, batch) = (position.epoch, position.batch);
        reporter.remark(&format!(
            "going on after epoch {epoch}, batch {batch} (step {})",
            position.step
        ));
        session.train(&folder, position, &mut reporter)
    }
}
