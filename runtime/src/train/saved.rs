//! A run that lies in its folder.

use std::path::{Path, PathBuf};

use hqcc_compiler::Compiled;
use serde_json::Value;

use super::folder::{RunFolder, Which};
use super::standing::checkpoint_file;
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

    /// The file of a checkpoint.
    ///
    /// # Errors
    /// The best one is asked for and lost.
    pub fn checkpoint(&self, which: Which) -> Result<PathBuf, Error> {
        Ok(checkpoint_file(&self.folder, which)?)
    }

    /// The tensors of a checkpoint, and the record that says where the run stood.
    ///
    /// # Errors
    /// A file that is missing, damaged, or holds values that are not finite.
    pub fn weights(&self, which: Which) -> Result<(Weights, Value), Error> {
        Ok(weights::load(&self.checkpoint(which)?)?)
    }
}
