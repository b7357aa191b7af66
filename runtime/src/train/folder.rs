//! The folder of a run: `runs/<name>-<n>/`.
//!
//! | file | holds |
//! |---|---|
//! | `experiment.hqc` | the source with every setting resolved; it can be run again |
//! | `run.json` | device, versions, seed, settings, digest of the network |
//! | `.lock` | which process trains the run; see `lock` |
//! | `metrics.jsonl`, `metrics.csv` | loss of each step, results of each epoch |
//! | `timing.csv` | seconds of each epoch |
//! | `last.safetensors`, `best.safetensors` | checkpoints |
//! | `loss.svg`, `dsc.svg`, `iou.svg`, `samples.png` | curves and pictures |
//! | `graph.dot` | the network as it is trained |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder_error::FolderError;
use super::identity::Identity;
use crate::durable::replace_file;
use crate::regular_file;

/// Longest `run.json` that is read. Units: bytes.
const MAX_INFO: u64 = 16 << 20;

/// What does not change while a run lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of hqcc that started the run.
    pub hqcc: String,
    /// The device that trains, in words.
    pub device: String,
    /// What `--device` was given.
    pub device_request: String,
    /// Operating system and processor family.
    pub platform: String,
    /// Worker threads of the CPU executor.
    pub threads: usize,
    /// Seed of all random streams.
    pub seed: u64,
    /// The file that was run.
    pub source: String,
    /// `-s` overrides, as given. They are part of `experiment.hqc` already.
    pub overrides: Vec<String>,
    /// Number of values that training changes.
    pub trained_parameters: u64,
    /// What must stay the same until the run ends.
    pub identity: Identity,
}

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The best epoch's; the last one's where none is kept.
    #[default]
    Best,
    /// The newest.
    Last,
}

/// A folder that holds one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes `<root>/<name>-<n>` with the least n that is free.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(root: &Path, name: &str) -> Result<Self, FolderError> {
        fs::create_dir_all(root).map_err(FolderError::write(root))?;
        let mut n = 1u64;
        loop {
            let path = root.join(format!("{name}-{n}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { path }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(e) => return Err(FolderError::write(&path)(e)),
            }
        }
    }

    /// A folder that holds a run already.
    ///
    /// # Errors
    /// There is no `run.json` in it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = RunFolder {
            path: path.to_path_buf(),
        };
        if folder.info_file().is_file() {
            Ok(folder)
        } else {
            Err(FolderError::Damaged {
                path: folder.path,
                fault: "this is not the folder of a run: it holds no run.json".into(),
            })
        }
    }

    /// Path of the run.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The source with every setting resolved.
    pub fn experiment(&self) -> PathBuf {
        self.path.join("experiment.hqc")
    }

    /// The newest checkpoint.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// The checkpoint of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    fn info_file(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// Writes `run.json`. It comes last of the files that a run starts with: a folder that has it can be resumed.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_info(&self, info: &RunInfo) -> Result<(), FolderError> {
        let path = self.info_file();
        let text = serde_json::to_string_pretty(info).map_err(|e| FolderError::Damaged {
            path: path.clone(),
            fault: e.to_string(),
        })?;
        self.write("run.json", &(text + "\n"))
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// Errors of the file system, and a file with unexpected contents.
    pub fn read_info(&self) -> Result<RunInfo, FolderError> {
        let path = self.info_file();
        let bytes = regular_file::read(&path, MAX_INFO).map_err(FolderError::read(&path))?;
        serde_json::from_slice(&bytes).map_err(|e| FolderError::Damaged {
            path,
            fault: e.to_string(),
        })
    }

    /// Writes another file of the run.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        replace_file(&path, text.as_bytes()).map_err(FolderError::write(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_numbered_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let first = RunFolder::create(&root.path().join("runs"), "unet").unwrap();
        let second = RunFolder::create(&root.path().join("runs"), "unet").unwrap();
        assert!(first.path().ends_with("unet-1") && second.path().ends_with("unet-2"));
        assert!(RunFolder::open(first.path()).is_err());
        let info = RunInfo {
            hqcc: "0".into(),
            device: "cpu".into(),
            device_request: "auto".into(),
            platform: "x".into(),
            threads: 2,
            seed: 1,
            source: "a.hqc".into(),
            overrides: vec![],
            trained_parameters: 3,
            identity: Identity {
                settings: serde_json::json!({ "train": { "batch": 8 } }),
                network: "ab".into(),
            },
        };
        first.write_info(&info).unwrap();
        assert_eq!(
            RunFolder::open(first.path()).unwrap().read_info().unwrap(),
            info
        );
    }
}
