//! How a command fails.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use hqcc_compiler::diagnostic::Diagnostic;

use super::messages::MessageFormat;
use super::messages::print_diagnostics;
use crate::error::Error;
use crate::report::printable::printable;
use crate::train::interrupt;

/// Why a command does not end with exit code 0.
#[derive(Debug)]
pub enum Failure {
    /// The reader of standard output went away; there is nobody left to tell.
    ClosedPipe,
    /// The messages are printed already.
    Reported,
    /// What the compiler says, still to be printed.
    Source(Vec<Diagnostic>),
    /// A signal stopped a run, which has said so.
    Interrupted,
    /// One sentence still to be printed.
    Message(String),
}

impl Failure {
    /// A failure with one sentence.
    pub fn new(message: impl Display) -> Self {
        Failure::Message(message.to_string())
    }

    /// Prints the messages that are not printed yet.
    pub fn report(self, format: MessageFormat) -> ExitCode {
        match self {
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Reported => ExitCode::from(1),
            Failure::Source(diagnostics) => {
                print_diagnostics(&diagnostics, format);
                ExitCode::from(1)
            }
            Failure::Interrupted => ExitCode::from(interrupt::EXIT_CODE),
            Failure::Message(message) => {
                let mut err = std::io::stderr().lock();
                let (on, off) = if err.is_terminal() {
                    ("\x1b[1;31m", "\x1b[0m")
                } else {
                    ("", "")
                };
                // Standard error may be closed; the exit code still tells.
                let _ = writeln!(err, "{on}error{off}: {}", printable(&message));
                ExitCode::from(1)
            }
        }
    }
}

impl<E> From<E> for Failure
where
    Error: From<E>,
{
    fn from(error: E) -> Self {
        let error = match Error::from(error) {
            Error::Source(diagnostics) => return Failure::Source(diagnostics),
            error => error,
        };
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
        Failure::Message(message)
    }
}
