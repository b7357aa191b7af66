//! Ctrl-C. In training the first asks the loop to end after the batch and save; otherwise it ends the process at once.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Exit code of a process that a signal stopped, whichever it was: as a shell reports one that died of SIGINT.
pub const EXIT_CODE: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);
static PHASE: AtomicU8 = AtomicU8::new(Phase::Preparing as u8);

/// What a signal interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Data are read and the network is loaded.
    Preparing,
    /// Steps are taken.
    Training,
    /// Results are drawn.
    Finishing,
}

/// Catches SIGINT, SIGTERM and SIGHUP from now on.
///
/// # Errors
/// The operating system refuses, or a handler is installed already.
pub fn catch() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        let phase = PHASE.load(Ordering::SeqCst);
        if phase == Phase::Training as u8 && !ASKED.swap(true, Ordering::SeqCst) {
            return;
        }
        let words = match phase {
            p if p == Phase::Preparing as u8 => "stopped before training began",
            p if p == Phase::Training as u8 => {
                "stopped at once; `hqcc resume` goes on from the last checkpoint"
            }
            _ => "stopped after training ended; `hqcc resume` shows its results",
        };
        let mut err = std::io::stderr().lock();
        // The terminal has just shown ^C, perhaps within a progress bar.
        let line = if err.is_terminal() { "\n" } else { "" };
        let _ = writeln!(err, "{line}{words}");
        std::process::exit(EXIT_CODE.into());
    })
}

/// Says what a signal interrupts from now on.
pub fn enter(phase: Phase) {
    PHASE.store(phase as u8, Ordering::SeqCst);
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
