//! Arguments that several commands share.

use std::io::{self, Write};

use super::Failure;

/// Writes a command's result to standard output.
///
/// # Errors
/// The reader went away, or the file system refuses.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| {
        if e.kind() == io::ErrorKind::BrokenPipe {
            Failure::ClosedPipe
        } else {
            Failure::from(e)
        }
    })
}
