//! A run that lies in its folder.

use std::path::Path;

use hqcc_compiler::Compiled;

use super::folder::{RunFolder, Which};
use crate::error::Error;
use crate::source;
use crate::weights::{self, Weights};

/// A run's folder and the experiment that it ran.
pub struct SavedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Its experiment, with the settings over it that it was opened with.
    pub experiment: Compiled<'static>,
}

impl SavedRun {
    /// Opens the folder of a run, with settings such as `data.test=20..40` over its own.
    ///
    /// # Errors
    /// It is no run's folder, or its experiment does not compile with these settings.
    pub fn open(path: impl AsRef<Path>, settings: &[impl AsRef<str>]) -> Result<SavedRun, Error> {
        let folder = RunFolder::open(path.as_ref())?;
        let experiment = source::open(folder.experiment(), settings)?;
        Ok(SavedRun { folder, experiment })
    }

    /// The tensors of a checkpoint, and the text that says where the run stood.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn weights(&self, which: Which) -> Result<(Weights, Option<String>), Error> {
        Ok(weights::load(&self.folder.checkpoint(which))?)
    }
}
