//! Opens what commands work on, and prints what there is to say about it.

use std::path::Path;

use hqcc_compiler::Compiled;
use serde_json::json;

use super::Failure;
use super::messages::{MessageFormat, print_diagnostics};
use super::reporter::Reporter;
use crate::device::{Device, words};
use crate::train::saved::SavedRun;

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

/// Opens the folder of a run and prints the warnings of its experiment.
///
/// # Errors
/// It is no run's folder, or the compiler finds an error.
pub fn open_run(
    path: &Path,
    settings: &[String],
    format: MessageFormat,
) -> Result<SavedRun, Failure> {
    let run = SavedRun::open(path, settings)?;
    print_diagnostics(run.experiment.warnings(), format);
    Ok(run)
}

/// Opens a device and says which it is: the first line of a command.
///
/// # Errors
/// No device fits.
pub fn open_device(request: &str, reporter: &Reporter) -> Result<Device, Failure> {
    let device = Device::open(request)?;
    let words = words(device.info());
    reporter.fact(
        "device",
        &format!("device: {words}"),
        json!({ "device": device.info(), "words": words }),
    );
    Ok(device)
}
