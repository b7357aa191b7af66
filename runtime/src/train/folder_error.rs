//! What can be wrong with the files of a run.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file of a run cannot be written or used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The file system refuses to write.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file system refuses to read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what a run leaves there.
    #[error("{path}: {fault}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Another process trains the run.
    #[error("{path} is being trained by {holder}", path = path.display())]
    Locked {
        /// The run.
        path: PathBuf,
        /// The process.
        holder: String,
    },
}

impl FolderError {
    /// Wraps what the system says when `path` cannot be written.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
        move |source| FolderError::Write {
            path: path.to_owned(),
            source,
        }
    }

    /// Wraps what the system says when `path` cannot be read.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
        move |source| FolderError::Read {
            path: path.to_owned(),
            source,
        }
    }
}
