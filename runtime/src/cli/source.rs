//! Reads `.hqc` files from disk and prints what the compiler says about them.

use std::fs;
use std::io::{self, IsTerminal, Write};

use hqcc_compiler::diagnostic::Diagnostic;
use hqcc_compiler::syntax::span::{Sources, World};

use super::Failure;
use crate::train::progress::MessageFormat;

/// Longest source file. Units: bytes.
const MAX_SOURCE: u64 = 16 << 20;

/// Files and environment variables of this machine.
pub struct Disk;

impl World for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        let length = fs::metadata(path).map_err(|e| words(&e))?.len();
        if length > MAX_SOURCE {
            return Err(format!(
                "{length} bytes are more than a source file may have ({MAX_SOURCE})"
            ));
        }
        let bytes = fs::read(path).map_err(|e| words(&e))?;
        String::from_utf8(bytes).map_err(|e| {
            format!(
                "it is not UTF-8 text (byte {})",
                e.utf8_error().valid_up_to()
            )
        })
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// What the operating system says, as a lower-case phrase.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// Prints what the compiler says: to people on standard error, to programs as JSON lines on standard output.
pub fn print_diagnostics(diagnostics: &[Diagnostic], sources: &Sources, format: MessageFormat) {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text += &match format {
            MessageFormat::Json => {
                let mut value = diagnostic.to_json(sources);
                if let Some(object) = value.as_object_mut() {
                    object.insert("reason".into(), "diagnostic".into());
                }
                value.to_string()
            }
            MessageFormat::Human if io::stderr().is_terminal() => {
                diagnostic.render_coloured(sources)
            }
            MessageFormat::Human => diagnostic.render(sources),
        };
        text.push('\n');
    }
    // Nobody may be listening; the exit code still tells.
    let _ = match format {
        MessageFormat::Json => io::stdout().lock().write_all(text.as_bytes()),
        MessageFormat::Human => io::stderr().lock().write_all(text.as_bytes()),
    };
}

/// Prints them and fails if one is an error.
///
/// # Errors
/// There is an error among them.
pub fn check_diagnostics(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    format: MessageFormat,
) -> Result<(), Failure> {
    print_diagnostics(diagnostics, sources, format);
    if diagnostics.iter().any(Diagnostic::is_error) {
        Err(Failure::Reported)
    } else {
        Ok(())
    }
}
