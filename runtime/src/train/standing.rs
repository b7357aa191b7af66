//! Where a run stands: what `resume` goes on from, and whether anything of it was lost.

use std::path::PathBuf;

use thiserror::Error;

use super::checkpoint::{self, CheckpointError, Position};
use super::folder::{RunFolder, Which};
use super::folder_error::FolderError;
use super::log;
use crate::weights::Weights;

/// Files of a run that training writes into.
const WRITTEN: [&str; 5] = [
    "last.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "metrics.csv",
    "timing.csv",
];

/// Why a run cannot go on.
#[derive(Debug, Error)]
pub enum StandingError {
    /// A checkpoint is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Another file is damaged or cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file is gone that others need.
    #[error(
        "{run} has lost {missing}: {why}. Bring it back from a copy, or start a new run with \
         `hqcc run {run}/experiment.hqc`; nothing was changed"
    )]
    Lost {
        /// The run.
        run: String,
        /// The file.
        missing: &'static str,
        /// How that is known.
        why: String,
    },
}

/// State and position of the last checkpoint, after everything else that the run needs was checked too; `None` for a run
/// that was stopped before its first checkpoint. Changes nothing.
///
/// # Errors
/// Something of the run is damaged, lost, or a link to another file.
pub fn standing(folder: &RunFolder) -> Result<Option<(Weights, Position)>, StandingError> {
    for name in WRITTEN {
        let path = folder.path().join(name);
        if path.symlink_metadata().is_ok_and(|file| file.is_symlink()) {
            let fault = "it is a link; a run writes into no other file".to_owned();
            return Err(FolderError::Damaged { path, fault }.into());
        }
    }
    let lost = |missing, why: String| StandingError::Lost {
        run: folder.path().display().to_string(),
        missing,
        why,
    };
    let length = |name: &str| folder.path().join(name).metadata().map_or(0, |m| m.len());
    let has_best = folder.best().exists();
    if !folder.last().exists() {
        // A run writes its first checkpoint before its first step.
        let found = [
            (has_best, "best.safetensors"),
            (length("metrics.jsonl") > 0, "metrics.jsonl"),
            (length("timing.csv") > 0, "timing.csv"),
        ];
        return match found.iter().find(|(there, _)| *there) {
            None => Ok(None),
            Some((_, name)) => Err(lost(
                "last.safetensors",
                format!("{name} shows that it has trained"),
            )),
        };
    }
    let (state, position) = checkpoint::load(&folder.last())?;
    if has_best {
        checkpoint::load(&folder.best())?;
    } else if let Some(best) = &position.best {
        return Err(lost(
            "best.safetensors",
            format!(
                "last.safetensors says that epoch {} was the best",
                best.epoch
            ),
        ));
    }
    log::kept(folder.path(), position.metrics_length)?;
    Ok(Some((state, position)))
}

/// The file of a checkpoint.
///
/// # Errors
/// The best one is asked for and lost, although the run has had one; the last one cannot be read then.
pub fn checkpoint_file(folder: &RunFolder, which: Which) -> Result<PathBuf, StandingError> {
    let (best, last) = (folder.best(), folder.last());
    if which == Which::Last {
        return Ok(last);
    }
    if best.exists() {
        return Ok(best);
    }
    // A run keeps no best one before the end of its first epoch, or with `keep = last`.
    match checkpoint::load(&last)?.1.best {
        None => Ok(last),
        Some(found) => {
            let epoch = found.epoch;
            let fault = format!(
                "it is missing, and epoch {epoch} was the best; `--checkpoint last` takes the last one"
            );
            Err(FolderError::Damaged { path: best, fault }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;
    use crate::train::checkpoint::Best;
    use crate::train::log::{MetricsLog, Record};
    use std::fs;

    fn state() -> Weights {
        Weights::from([("w".into(), Tensor::scalar(1.5))])
    }

    /// A run after its first epoch.
    fn trained() -> (tempfile::TempDir, RunFolder) {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path(), "r").unwrap();
        let mut log = MetricsLog::open(folder.path(), 0, &[]).unwrap();
        let (epoch, step, loss) = (1, 1, 0.5);
        log.append(&Record::Step { epoch, step, loss }).unwrap();
        let position = Position {
            epoch: 1,
            step: 1,
            metrics_length: log.sync().unwrap(),
            best: Some(Best {
                epoch: 1,
                metric: "dsc".into(),
                value: 0.5,
            }),
            ..Position::start(1)
        };
        checkpoint::save(&folder.best(), &state(), &position).unwrap();
        checkpoint::save(&folder.last(), &state(), &position).unwrap();
        (root, folder)
    }

    fn files(folder: &RunFolder) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn a_new_run_starts_and_a_whole_one_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path(), "r").unwrap();
        assert!(standing(&folder).unwrap().is_none());
        fs::write(folder.path().join("metrics.jsonl"), "").unwrap();
        assert!(standing(&folder).unwrap().is_none());
        let (_root, folder) = trained();
        let (weights, position) = standing(&folder).unwrap().unwrap();
        assert_eq!((weights, position.step), (state(), 1));
    }

    #[test]
    fn whatever_is_lost_is_named_and_nothing_is_changed() {
        for (gone, named) in [
            (&["last.safetensors"][..], "last.safetensors"),
            (
                &["last.safetensors", "best.safetensors"],
                "last.safetensors",
            ),
            (&["last.safetensors", "metrics.jsonl"], "last.safetensors"),
            (&["best.safetensors"], "best.safetensors"),
            (&["metrics.jsonl"], "metrics.jsonl"),
        ] {
            let (_root, folder) = trained();
            for name in gone {
                fs::remove_file(folder.path().join(name)).unwrap();
            }
            let before = files(&folder);
            let message = standing(&folder).unwrap_err().to_string();
            assert!(message.contains(named), "{gone:?}: {message}");
            assert_eq!(files(&folder), before, "{gone:?}");
        }
        let (_root, folder) = trained();
        fs::write(folder.path().join("metrics.jsonl"), "{}").unwrap();
        assert!(standing(&folder).is_err());
        let (_root, folder) = trained();
        let mut bytes = fs::read(folder.best()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(folder.best(), bytes).unwrap();
        let message = standing(&folder).unwrap_err().to_string();
        assert!(message.contains("best.safetensors"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        for name in WRITTEN {
            let (root, folder) = trained();
            let (path, target) = (folder.path().join(name), root.path().join("elsewhere"));
            let _ = fs::rename(&path, &target);
            std::os::unix::fs::symlink(&target, &path).unwrap();
            let message = standing(&folder).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("link"),
                "{message}"
            );
        }
    }
}
