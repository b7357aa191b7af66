//! How messages are written, and those of the compiler.

use std::io::{self, IsTerminal, Write};

use hqcc_compiler::diagnostic::Diagnostic;

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum MessageFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line on standard output, each with a `reason`.
    Json,
}

/// Prints diagnostics: for people on standard error, for programs as JSON lines on standard output.
pub fn print_diagnostics(diagnostics: &[Diagnostic], format: MessageFormat) {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text += &match format {
            MessageFormat::Json => {
                let mut value = diagnostic.to_json();
                if let Some(object) = value.as_object_mut() {
                    object.insert("reason".into(), "diagnostic".into());
                }
                value.to_string()
            }
            MessageFormat::Human if io::stderr().is_terminal() => diagnostic.render_coloured(),
            MessageFormat::Human => diagnostic.to_string(),
        };
        text.push('\n');
    }
    // Nobody may be listening; the exit code still tells.
    let _ = match format {
        MessageFormat::Json => io::stdout().lock().write_all(text.as_bytes()),
        MessageFormat::Human => io::stderr().lock().write_all(text.as_bytes()),
    };
}
