//! Ctrl-C: the first asks the loop to end after the batch and save, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Catches SIGINT and SIGTERM from now on.
///
/// # Errors
/// The operating system refuses, or a handler is installed already.
pub fn catch() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            // As a shell reports a process that died of SIGINT.
            std::process::exit(130);
        }
    })
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
