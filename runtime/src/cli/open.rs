//! Opens `.hqc` files and prints what the compiler says about them.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use hqcc_compiler::Compiled;
use hqcc_compiler::diagnostic::Diagnostic;

use super::Failure;
use crate::data::DataSettings;
use crate::train::progress::MessageFormat;

/// Compiles a file and prints its warnings.
///
/// # Errors
/// It cannot be read, or the compiler finds an error.
pub fn open(
    path: impl AsRef<Path>,
    settings: &[String],
    format: MessageFormat,
) -> Result<Compiled<'static>, Failure> {
    let compiled = crate::open(path, settings)?;
    print_diagnostics(compiled.warnings(), format);
    Ok(compiled)
}

/// What the data section asks for.
///
/// # Errors
/// There is no data section.
pub fn data(compiled: &Compiled<'_>) -> Result<DataSettings, Failure> {
    let config = compiled.study().data.as_ref().ok_or_else(|| {
        Failure::new("the file names no data: add `data NAME = phantom { ... }` and `data = NAME` in `train`")
    })?;
    Ok(serde_json::from_value(serde_json::to_value(config)?)?)
}

/// Prints what the compiler says: to people on standard error, to programs as JSON lines on standard output.
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
