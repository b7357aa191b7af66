//! Arguments that several commands share.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

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

/// A progress bar with the time left, on standard error; silent where that is no terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over `total` pieces of work.
    pub fn start(what: &str, total: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) =
            ProgressStyle::with_template("{msg}  {wide_bar:.green} {pos}/{len}  {eta} left")
        {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_message(what.to_owned());
        Bar(bar)
    }

    /// `done` pieces are done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Takes the bar away.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}
