//! `metrics.jsonl` and `metrics.csv`: the numbers of a run, a line each, in the order they came about.
//!
//! Neither file holds a time, so that an interrupted and resumed run leaves the same bytes as an unbroken one.
//! Invariant: the checkpoint knows the length of `metrics.jsonl`; later lines are cut off on resume and written again.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hqcc_compiler::measures::Measure;
use serde::{Deserialize, Serialize};

use super::folder_error::FolderError;
use super::metrics::Measured;
use crate::durable::replace_file;
use crate::regular_file;

/// Longest `metrics.jsonl` that is read: some ten million steps. Units: bytes.
const MAX_LENGTH: u64 = 1 << 30;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// One step of the optimiser.
    Step {
        /// Epoch, from 1.
        epoch: u64,
        /// Step, from 1, counted over all epochs.
        step: u64,
        /// Loss of the batch before the step.
        loss: f64,
    },
    /// One pass over the training data, followed by one over the test data.
    Epoch {
        /// Epoch, from 1.
        epoch: u64,
        /// Steps done in all.
        step: u64,
        /// Mean training loss of the epoch's samples.
        loss: f64,
        /// Mean test loss.
        test_loss: f64,
        /// The measures on the test split, each under its name.
        #[serde(flatten)]
        measures: Measured,
    },
}

/// The first line of `metrics.csv`: two columns for each measure.
fn columns(measures: &[&Measure]) -> String {
    let mut line = "kind,epoch,step,loss,test_loss".to_owned();
    for Measure { name, .. } in measures {
        line += &format!(",{name}_mean,{name}_sd");
    }
    line + "\n"
}

impl Record {
    /// A line of `metrics.csv`.
    fn csv(&self, measures: &[&Measure]) -> String {
        match self {
            Record::Step { epoch, step, loss } => {
                let empty = ",".repeat(1 + 2 * measures.len());
                format!("step,{epoch},{step},{loss}{empty}\n")
            }
            Record::Epoch {
                epoch,
                step,
                loss,
                test_loss,
                measures: results,
            } => {
                let mut line = format!("epoch,{epoch},{step},{loss},{test_loss}");
                for measure in measures {
                    line += &match results.get(measure) {
                        Some(spread) => format!(",{},{}", spread.mean, spread.sd),
                        None => ",,".to_owned(),
                    };
                }
                line + "\n"
            }
        }
    }
}

/// The two open files.
#[derive(Debug)]
pub struct MetricsLog {
    jsonl: Appended,
    csv: Appended,
    length: u64,
    measures: Vec<&'static Measure>,
}

/// A file that only grows.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    fn write(&mut self, text: &str) -> Result<(), FolderError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(FolderError::write(&self.path))
    }
}

impl MetricsLog {
    /// Opens the files in `folder`, cut back to the first `length` bytes of `metrics.jsonl` (0 for a new run). Nothing is cut
    /// before all that is kept was read.
    ///
    /// # Errors
    /// The file system's, and what [`kept`] finds.
    pub fn open(
        folder: &Path,
        length: u64,
        measures: &[&'static Measure],
    ) -> Result<Self, FolderError> {
        let records = kept(folder, length)?;
        let (path, csv_path) = paths(folder);
        let failed = FolderError::write;
        let mut file = OpenOptions::new()
            .create(length == 0)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed(&path))?;
        file.set_len(length).map_err(failed(&path))?;
        file.seek(SeekFrom::End(0)).map_err(failed(&path))?;
        let jsonl = Appended { path, file };
        let lines = records.iter().map(|record| record.csv(measures));
        let table: String = std::iter::once(columns(measures)).chain(lines).collect();
        replace_file(&csv_path, table.as_bytes()).map_err(failed(&csv_path))?;
        let file = OpenOptions::new().append(true).open(&csv_path);
        let csv = Appended {
            file: file.map_err(failed(&csv_path))?,
            path: csv_path,
        };
        Ok(MetricsLog {
            jsonl,
            csv,
            length,
            measures: measures.to_vec(),
        })
    }

    /// Appends one record to both files.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(&mut self, record: &Record) -> Result<(), FolderError> {
        let mut line = serde_json::to_string(record).map_err(|e| FolderError::Damaged {
            path: self.jsonl.path.clone(),
            fault: e.to_string(),
        })?;
        line.push('\n');
        self.jsonl.write(&line)?;
        self.csv.write(&record.csv(&self.measures))?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Makes what was appended last through a crash, and returns the length of `metrics.jsonl` for the checkpoint.
    ///
    /// # Errors
    /// The file system's.
    pub fn sync(&mut self) -> Result<u64, FolderError> {
        let synced = self.jsonl.file.sync_data();
        synced.map_err(FolderError::write(&self.jsonl.path))?;
        Ok(self.length)
    }
}

/// The records in the first `length` bytes of `metrics.jsonl`, which a checkpoint knows. Changes nothing.
///
/// # Errors
/// The file system's; a file that is missing, shorter, or does not hold records there; a link in its place.
pub fn kept(folder: &Path, length: u64) -> Result<Vec<Record>, FolderError> {
    let (path, _) = paths(folder);
    let damaged = |fault: String| FolderError::Damaged {
        path: path.clone(),
        fault,
    };
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            return Err(damaged(
                "it is a link; a run writes into no other file".into(),
            ));
        }
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound && length == 0 => return Ok(Vec::new()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(damaged(format!(
                "it is missing, but the checkpoint knows {length} bytes of it; bring it back from a copy, or start a new run"
            )));
        }
        Err(e) => return Err(FolderError::read(&path)(e)),
    }
    let mut bytes = regular_file::read(&path, MAX_LENGTH).map_err(FolderError::read(&path))?;
    if (bytes.len() as u64) < length {
        let fault = format!(
            "it has {} bytes, but the checkpoint knows {length}; bring it back from a copy, or start a new run",
            bytes.len()
        );
        return Err(damaged(fault));
    }
    bytes.truncate(length as usize);
    records(&path, &bytes)
}

/// All records of the run in `folder`.
///
/// # Errors
/// Errors of the file system, and a line that is not a record (named by number).
pub fn read(folder: &Path) -> Result<Vec<Record>, FolderError> {
    let (path, _) = paths(folder);
    let bytes = regular_file::read(&path, MAX_LENGTH).map_err(FolderError::read(&path))?;
    records(&path, &bytes)
}

fn records(path: &Path, bytes: &[u8]) -> Result<Vec<Record>, FolderError> {
    let damaged = |fault: String| FolderError::Damaged {
        path: path.to_owned(),
        fault,
    };
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(e.to_string()))?;
    text.lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|e| damaged(format!("line {}: {e}", i + 1)))
        })
        .collect()
}

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("metrics.jsonl"), folder.join("metrics.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_behind_the_checkpoint_are_cut_and_come_again_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let step = |step| Record::Step {
            epoch: 1,
            step,
            loss: 1.0 / step as f64,
        };
        let mut log = MetricsLog::open(folder.path(), 0, &[]).unwrap();
        log.append(&step(1)).unwrap();
        let known = log.sync().unwrap();
        log.append(&step(2)).unwrap();
        log.append(&step(3)).unwrap();
        let whole = fs::read(folder.path().join("metrics.jsonl")).unwrap();
        let table = fs::read(folder.path().join("metrics.csv")).unwrap();

        let mut log = MetricsLog::open(folder.path(), known, &[]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [step(1)]);
        log.append(&step(2)).unwrap();
        log.append(&step(3)).unwrap();
        assert_eq!(
            fs::read(folder.path().join("metrics.jsonl")).unwrap(),
            whole
        );
        assert_eq!(fs::read(folder.path().join("metrics.csv")).unwrap(), table);
        assert!(MetricsLog::open(folder.path(), 10_000, &[]).is_err());
        assert_eq!(
            fs::read(folder.path().join("metrics.jsonl")).unwrap(),
            whole,
            "a refusal changes nothing"
        );
    }
}
