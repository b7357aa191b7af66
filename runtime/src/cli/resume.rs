//! `hqcc resume`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::args::MessageArgs;
use super::open::{open_device, open_run};
use super::reporter::Reporter;
use super::results::{show, tell};
use crate::device::words;
use crate::train::interrupt;
use crate::train::session::resume;

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
    pub(super) messages: MessageArgs,
}

impl Resume {
    /// Trains to the end.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let run = open_run(&self.run, &[], format)?;
        let info = run.folder.read_info()?;
        let mut reporter = Reporter::new(format);
        // Where a second handler is refused, the first one is ours.
        let _ = interrupt::catch();
        let request = self.device.as_ref().unwrap_or(&info.device_request);
        let device = open_device(request, &reporter)?;
        // The number of threads decides no bit.
        let mut found = device.info().clone();
        found.threads = found.threads.map(|_| info.threads);
        if words(&found) != info.device {
            reporter.remark(&format!(
                "note: the run began on {}; on another device the last bits differ",
                info.device
            ));
        }
        let trained = resume(run, device, &interrupt::asked, &mut |event| {
            tell(&mut reporter, event);
        });
        show(trained, &reporter)
    }
}
