//! Reads `.hqc` files from disk.

use std::io;
use std::path::Path;

use hqcc_compiler::syntax::span::World;
use hqcc_compiler::{Compiled, compile};

use crate::data::DataSettings;
use crate::error::Error;
use crate::regular_file;

/// Longest source file. Units: bytes.
const MAX_SOURCE: u64 = 16 << 20;

/// Files and environment variables of this machine.
pub struct Disk;

impl World for Disk {
    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = regular_file::read(Path::new(path), MAX_SOURCE).map_err(|e| words(&e))?;
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

/// Reads a file of this machine and everything it imports, with settings such as `train.epochs=5`, and compiles it.
///
/// # Errors
/// [`Error::Source`]: it cannot be read, or the compiler finds errors.
pub fn open(
    path: impl AsRef<Path>,
    settings: &[impl AsRef<str>],
) -> Result<Compiled<'static>, Error> {
    let path = path.as_ref().display().to_string();
    let settings: Vec<String> = settings.iter().map(|s| s.as_ref().to_owned()).collect();
    compile(&Disk, &path, &settings).map_err(Error::Source)
}

/// What the data section of an experiment asks for.
///
/// # Errors
/// There is none.
pub fn data<'e>(experiment: &'e Compiled<'_>) -> Result<&'e DataSettings, Error> {
    experiment.study().data.as_ref().ok_or(Error::NoData)
}
