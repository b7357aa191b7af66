//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! One safetensors file holds the state tensors of the program (parameters, optimiser moments, running statistics) under
//! their paths, and beside them, as JSON, where the run stands. One file, replaced in one go: there is no moment at which
//! the two could disagree. Random streams and the order of the data are functions of seed and epoch, so the position is
//! all that has to be kept of them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::weights::{self, Weights, WeightsError};

/// Version of the JSON text; a file of another version is refused.
const FORMAT: u32 = 1;

/// The progress of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Version of this record.
    pub format: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Epochs finished, evaluation included.
    pub epoch: u64,
    /// Batches done of the epoch after those.
    pub batch: u64,
    /// Optimiser steps done in all.
    pub step: u64,
    /// Sum of loss times samples over the unfinished epoch.
    pub loss_sum: f64,
    /// Samples in that sum.
    pub loss_samples: u64,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// Length of `metrics.jsonl` at this point, in bytes.
    pub metrics_length: u64,
}

/// The epoch that did best on the test split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: u64,
    /// What was compared.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

impl Position {
    /// The beginning.
    pub fn start(seed: u64) -> Self {
        Position {
            format: FORMAT,
            seed,
            epoch: 0,
            batch: 0,
            step: 0,
            loss_sum: 0.0,
            loss_samples: 0,
            best: None,
            metrics_length: 0,
        }
    }
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The tensors.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The file holds tensors, but no position.
    #[error("{path} holds weights, but does not say where a run stood: it cannot be resumed from")]
    NoPosition {
        /// The file.
        path: String,
    },
    /// The position is damaged or of another version.
    #[error("{path}: {reason}")]
    Position {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Writes a checkpoint; the file is there in full or not at all.
///
/// # Errors
/// The file system's.
pub fn save(path: &Path, state: &Weights, position: &Position) -> Result<(), CheckpointError> {
    let record = serde_json::to_value(position).map_err(|e| CheckpointError::Position {
        path: path.display().to_string(),
        reason: e.to_string(),
    })?;
    Ok(weights::save(path, state, record)?)
}

/// Reads a checkpoint.
///
/// # Errors
/// A file that is missing, damaged, with values that are not finite, or without a position.
pub fn load(path: &Path) -> Result<(Weights, Position), CheckpointError> {
    let (state, record) = weights::load(path)?;
    let name = || path.display().to_string();
    let known = record.get("format").is_some();
    let position: Position = serde_json::from_value(record).map_err(|e| match known {
        false => CheckpointError::NoPosition { path: name() },
        true => CheckpointError::Position {
            path: name(),
            reason: e.to_string(),
        },
    })?;
    if position.format != FORMAT {
        let reason = format!(
            "its format is {}, this hqcc reads {FORMAT}",
            position.format
        );
        return Err(CheckpointError::Position {
            path: name(),
            reason,
        });
    }
    Ok((state, position))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn state() -> Weights {
        let tensor = |v: f32| Tensor::from_fn([2, 3], |i| v + i as f32);
        Weights::from([
            ("b.weight".into(), tensor(0.5)),
            ("a.weight".into(), tensor(-1.0)),
        ])
    }

    #[test]
    fn what_is_read_is_what_was_written_and_bytes_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let mut position = Position::start(3);
        position.loss_sum = 0.1 + 0.2;
        position.best = Some(Best {
            epoch: 1,
            metric: "dsc".into(),
            value: 1.0 / 3.0,
        });
        save(&path, &state(), &position).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(load(&path).unwrap(), (state(), position.clone()));
        save(&path, &state(), &position).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn damaged_files_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        save(&path, &state(), &Position::start(3)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 8, 100, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message = load(&path).unwrap_err().to_string();
            assert!(message.contains("last.safetensors"), "{message}");
        }
        let other = Position {
            format: 99,
            ..Position::start(1)
        };
        save(&path, &state(), &other).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("99"));
    }
}
