//! `metrics.jsonl` and `metrics.csv`: the numbers of a run, a line each, in the order they came about.
//!
//! Neither file holds a time, so that an interrupted and resumed run leaves the same bytes as an unbroken one.
//! Invariant: the checkpoint knows the length of `metrics.jsonl`; later lines are cut off on resume and written again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hqcc_compiler::measures::Measure;
use serde::{Deserialize, Serialize};

use super::metrics::Measured;
use crate::durable::replace_file;

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
    jsonl: File,
    csv: File,
    length: u64,
    measures: Vec<&'static Measure>,
}

impl MetricsLog {
    /// Opens the files in `folder`, cut back to the first `length` bytes of `metrics.jsonl` (0 for a new run).
    ///
    /// # Errors
    /// The file system's, and a `metrics.jsonl` that is shorter than `length` or does not hold records.
    pub fn open(folder: &Path, length: u64, measures: &[&'static Measure]) -> io::Result<Self> {
        let (path, csv_path) = paths(folder);
        let mut jsonl = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)?;
        if jsonl.metadata()?.len() < length {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is shorter than the {length} bytes that the checkpoint knows",
                    path.display()
                ),
            ));
        }
        jsonl.set_len(length)?;
        jsonl.seek(SeekFrom::End(0))?;
        let records = read(folder)?;
        let lines = records.iter().map(|record| record.csv(measures));
        let table: String = std::iter::once(columns(measures)).chain(lines).collect();
        replace_file(&csv_path, table.as_bytes())?;
        let csv = OpenOptions::new().append(true).open(&csv_path)?;
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
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_string(record)?;
        line.push('\n');
        self.jsonl.write_all(line.as_bytes())?;
        self.csv.write_all(record.csv(&self.measures).as_bytes())?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Makes what was appended last through a crash, and returns the length of `metrics.jsonl` for the checkpoint.
    ///
    /// # Errors
    /// The file system's.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.jsonl.sync_data()?;
        Ok(self.length)
    }
}

/// All records of the run in `folder`.
///
/// # Errors
/// Errors of the file system, and a line that is not a record (named by number).
pub fn read(folder: &Path) -> io::Result<Vec<Record>> {
    let (path, _) = paths(folder);
    let text = fs::read_to_string(&path)?;
    text.lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|e| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}, line {}: {e}", path.display(), i + 1),
                )
            })
        })
        .collect()
}

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("metrics.jsonl"), folder.join("metrics.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
