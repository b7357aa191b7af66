//! The training loop: steps, evaluation after each epoch, checkpoints.
//!
//! The loop knows a network only as a [`Learner`] and data only as [`Samples`]. Up to `IN_FLIGHT` steps are under way
//! at a time, so that a GPU has work while the host waits for a loss; before anything is saved, all of them are awaited.
//!
//! Invariant: what a checkpoint leads to depends on nothing but the checkpoint. The loop asks no clock for decisions, and
//! order and random streams of an epoch are functions of seed and epoch.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;

use hqcc_compiler::experiment::Keep;
use hqcc_compiler::measures::{Measure, Reads};
use thiserror::Error;

use super::checkpoint::{self, Best, CheckpointError, Position};
use super::folder::RunFolder;
use super::folder_error::FolderError;
use super::log::{MetricsLog, Record};
use super::metrics::{JudgedSample, Measured, Scores};
use super::progress::{Clock, EpochSummary, Event, Observer};
use crate::data::Batch;
use crate::report::curves;
use crate::weights::{Weights, not_finite};

/// Steps that may be under way at a time.
const IN_FLIGHT: usize = 2;

/// What went wrong in an executor or a loader, in its own words.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Batches, in an order.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, Fault>> + 'a>;

/// Where the batches come from.
pub trait Samples {
    /// Number of training batches of an epoch.
    fn batches(&self) -> u64;

    /// Training batches of `epoch` (from 0) in its order, without the first `skip` of them.
    ///
    /// # Errors
    /// The data cannot be read.
    fn train(&self, epoch: u64, skip: u64) -> Result<Batches<'_>, Fault>;

    /// All test batches.
    ///
    /// # Errors
    /// The data cannot be read.
    fn test(&self) -> Result<Batches<'_>, Fault>;
}

/// What a network makes of a batch of the test split.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Mean loss over the batch.
    pub loss: f32,
    /// Each sample.
    pub samples: Vec<JudgedSample>,
}

/// A network that can be trained.
pub trait Learner {
    /// Starts optimiser step `step` (from 1) on a batch.
    ///
    /// # Errors
    /// The device's.
    fn submit(&mut self, step: u64, batch: &Batch) -> Result<(), Fault>;

    /// The loss of the oldest step under way.
    ///
    /// # Errors
    /// The device's.
    fn collect(&mut self) -> Result<f32, Fault>;

    /// Loss and outputs of a batch, nothing changed; the masks too, if `masks` asks for them.
    ///
    /// # Errors
    /// The device's.
    fn evaluate(&mut self, batch: &Batch, masks: bool) -> Result<Judged, Fault>;

    /// All tensors that training changes or needs, by path.
    ///
    /// # Errors
    /// The device's.
    fn state(&mut self) -> Result<Weights, Fault>;
}

/// What the loop is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Epochs in all.
    pub epochs: u64,
    /// What is measured on the test split.
    pub measures: Vec<&'static Measure>,
    /// Which checkpoint is kept beside the last one.
    pub keep: Keep,
    /// Saves after every so many steps too; 0: after epochs only.
    pub save_every: u64,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Finished,
    /// The user asked to stop; everything is saved.
    Interrupted,
}

/// Why training stopped short.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A loss or a parameter is not a number.
    #[error("{what} is not finite {place}")]
    NotFinite {
        /// What it is.
        what: String,
        /// Where it was seen.
        place: String,
        /// The first step, from 1, whose outcome is not finite.
        step: u64,
        /// Epoch of that step, from 0.
        epoch: u64,
    },
    /// The device.
    #[error("step {step}: {source}")]
    Device {
        /// The step, from 1.
        step: u64,
        /// What it said.
        source: Fault,
    },
    /// The device, while it evaluated.
    #[error("evaluation: {0}")]
    Evaluation(Fault),
    /// The loss of a test batch is not a number, so the measures mean nothing.
    #[error(
        "the loss of test batch {batch} is {loss}: the network gives values that are not finite"
    )]
    EvaluationNotFinite {
        /// The batch, from 1.
        batch: usize,
        /// Its loss.
        loss: f32,
    },
    /// The data.
    #[error("{0}")]
    Data(Fault),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of the run's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A chart.
    #[error("{0}")]
    Chart(String),
}

/// Results on the test split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// Mean loss over the samples.
    pub loss: f64,
    /// Number of samples.
    pub samples: usize,
    /// The measures.
    pub measures: Measured,
}

/// Evaluates a network on all test samples.
///
/// # Errors
/// The device's, the data's, a loss that is not finite.
pub fn evaluate(
    learner: &mut dyn Learner,
    samples: &dyn Samples,
    measures: &[&'static Measure],
) -> Result<Results, TrainError> {
    let masks = measures.iter().any(|m| matches!(m.reads, Reads::Masks(_)));
    let mut scores = Scores::new(measures);
    let mut loss_sum = 0.0;
    for (index, batch) in samples.test().map_err(TrainError::Data)?.enumerate() {
        let batch = batch.map_err(TrainError::Data)?;
        let judged = learner
            .evaluate(&batch, masks)
            .map_err(TrainError::Evaluation)?;
        if !judged.loss.is_finite() {
            return Err(TrainError::EvaluationNotFinite {
                batch: index + 1,
                loss: judged.loss,
            });
        }
        loss_sum += f64::from(judged.loss) * batch.len() as f64;
        for (sample, source) in judged.samples.iter().zip(&batch.origins) {
            scores.add(sample, source);
        }
    }
    let samples = scores.samples();
    Ok(Results {
        loss: loss_sum / samples.max(1) as f64,
        samples,
        measures: scores.finish(),
    })
}

/// Brings a network, restored to `position`, to the state just before `step` of the same epoch; gives that state and
/// the step's batch. `None`: the epoch has no such step.
///
/// # Errors
/// The device's, the data's.
pub fn replay(
    learner: &mut dyn Learner,
    samples: &dyn Samples,
    position: &Position,
    step: u64,
) -> Result<Option<(Weights, Batch)>, Fault> {
    let mut at = position.step;
    for batch in samples.train(position.epoch, position.batch)? {
        let batch = batch?;
        at += 1;
        if at == step {
            return Ok(Some((learner.state()?, batch)));
        }
        learner.submit(at, &batch)?;
        learner.collect()?;
    }
    Ok(None)
}

/// One run under way.
pub struct Run<'a> {
    /// The network.
    pub learner: &'a mut dyn Learner,
    /// Its data.
    pub samples: &'a dyn Samples,
    /// What to do.
    pub schedule: Schedule,
    /// Where the results go.
    pub folder: &'a RunFolder,
    /// Who is told.
    pub observer: Observer<'a>,
    /// Whether to end after the batch.
    pub stop: &'a dyn Fn() -> bool,
}

impl Run<'_> {
    /// Trains from `position` to the end, or until asked to stop.
    ///
    /// # Errors
    /// See [`TrainError`]; the last checkpoint stays as it is.
    pub fn train(&mut self, position: &mut Position) -> Result<Ending, TrainError> {
        let mut log = MetricsLog::open(
            self.folder.path(),
            position.metrics_length,
            &self.schedule.measures,
        )?;
        if position.step == 0 {
            self.save(&mut log, position, false)?;
        }
        let total = self.schedule.epochs * self.samples.batches();
        let done = position.step;
        (self.observer)(Event::Training { done, total });
        let ending = self.epochs(&mut log, position);
        (self.observer)(Event::Trained);
        ending
    }

    fn epochs(
        &mut self,
        log: &mut MetricsLog,
        position: &mut Position,
    ) -> Result<Ending, TrainError> {
        while position.epoch < self.schedule.epochs {
            let clock = Clock::start();
            let first_step = position.step;
            if self.epoch_steps(log, position)? == Ending::Interrupted {
                return Ok(Ending::Interrupted);
            }
            let train_seconds = clock.seconds();
            let results = match evaluate(self.learner, self.samples, &self.schedule.measures) {
                Err(fault @ TrainError::EvaluationNotFinite { .. }) => {
                    // Where training went wrong is worth more than where it was noticed.
                    self.finite_state(position)?;
                    return Err(fault);
                }
                results => results?,
            };
            self.finish_epoch(log, position, &results, (clock, train_seconds, first_step))?;
            if (self.stop)() && position.epoch < self.schedule.epochs {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Finished)
    }

    /// The steps that are left of the epoch.
    fn epoch_steps(
        &mut self,
        log: &mut MetricsLog,
        position: &mut Position,
    ) -> Result<Ending, TrainError> {
        let mut under_way: VecDeque<(u64, usize)> = VecDeque::new();
        let mut submitted = position.step;
        let batches = self
            .samples
            .train(position.epoch, position.batch)
            .map_err(TrainError::Data)?;
        for batch in batches {
            let batch = batch.map_err(TrainError::Data)?;
            submitted += 1;
            self.learner
                .submit(submitted, &batch)
                .map_err(|source| TrainError::Device {
                    step: submitted,
                    source,
                })?;
            under_way.push_back((submitted, batch.len()));
            let save =
                self.schedule.save_every > 0 && submitted.is_multiple_of(self.schedule.save_every);
            let stop = (self.stop)();
            let keep = if save || stop { 0 } else { IN_FLIGHT - 1 };
            while under_way.len() > keep {
                self.collect(log, position, &mut under_way)?;
            }
            // An epoch that is through is evaluated first, and saved then.
            let through = position.batch == self.samples.batches();
            if (save || stop) && !through {
                self.save(log, position, false)?;
            }
            if stop && !through {
                return Ok(Ending::Interrupted);
            }
        }
        while !under_way.is_empty() {
            self.collect(log, position, &mut under_way)?;
        }
        Ok(Ending::Finished)
    }

    /// Waits for the oldest step under way and books its loss.
    fn collect(
        &mut self,
        log: &mut MetricsLog,
        position: &mut Position,
        under_way: &mut VecDeque<(u64, usize)>,
    ) -> Result<(), TrainError> {
        let Some((step, samples)) = under_way.pop_front() else {
            return Ok(());
        };
        let loss = self
            .learner
            .collect()
            .map_err(|source| TrainError::Device { step, source })?;
        let epoch = position.epoch;
        if !loss.is_finite() {
            let place = format!(
                "at step {step} (epoch {}, batch {})",
                epoch + 1,
                position.batch + 1
            );
            return Err(TrainError::NotFinite {
                what: format!("the loss ({loss})"),
                place,
                step,
                epoch,
            });
        }
        let loss = f64::from(loss);
        position.step = step;
        position.batch += 1;
        position.loss_sum += loss * samples as f64;
        position.loss_samples += samples as u64;
        log.append(&Record::Step {
            epoch: epoch + 1,
            step,
            loss,
        })?;
        let epoch = epoch + 1;
        (self.observer)(Event::Step { epoch, step, loss });
        Ok(())
    }

    fn finish_epoch(
        &mut self,
        log: &mut MetricsLog,
        position: &mut Position,
        results: &Results,
        (clock, train_seconds, first_step): (Clock, f64, u64),
    ) -> Result<(), TrainError> {
        let samples = position.loss_samples;
        let loss = position.loss_sum / samples.max(1) as f64;
        let epoch = position.epoch + 1;
        let is_best = match self.schedule.keep {
            Keep::Last => false,
            Keep::Best(measure) => {
                let spread = results.measures.get(measure);
                let value = spread.map_or(f64::NAN, |spread| spread.mean);
                let so_far = position.best.as_ref();
                let better = so_far.is_none_or(|best| measure.better.is_better(value, best.value));
                if better {
                    position.best = Some(Best {
                        epoch,
                        metric: measure.name.into(),
                        value,
                    });
                }
                better
            }
        };
        log.append(&Record::Epoch {
            epoch,
            step: position.step,
            loss,
            test_loss: results.loss,
            measures: results.measures.clone(),
        })?;
        let steps = position.step - first_step;
        *position = Position {
            epoch,
            batch: 0,
            loss_sum: 0.0,
            loss_samples: 0,
            ..position.clone()
        };
        self.save(log, position, is_best)?;
        let seconds = clock.seconds();
        self.write_timing(epoch, steps, train_seconds, seconds)?;
        let records = super::log::read(self.folder.path())?;
        curves::write(self.folder.path(), &records, &self.schedule.measures)
            .map_err(TrainError::Chart)?;
        let share = steps as f64 / self.samples.batches().max(1) as f64;
        (self.observer)(Event::Epoch(&EpochSummary {
            epoch,
            epochs: self.schedule.epochs,
            loss,
            test_loss: results.loss,
            measures: results.measures.clone(),
            seconds,
            samples_per_second: samples as f64 * share / train_seconds.max(1e-9),
            best: is_best,
        }));
        Ok(())
    }

    /// The state after the last step.
    fn finite_state(&mut self, position: &Position) -> Result<Weights, TrainError> {
        let state = self.learner.state().map_err(|source| TrainError::Device {
            step: position.step,
            source,
        })?;
        if let Some((name, value)) = not_finite(&state) {
            return Err(TrainError::NotFinite {
                what: format!("`{name}` ({value})"),
                place: format!(
                    "after step {} (epoch {})",
                    position.step,
                    position.epoch.max(1)
                ),
                step: position.step,
                epoch: position
                    .epoch
                    .saturating_sub(u64::from(position.batch == 0)),
            });
        }
        Ok(state)
    }

    /// Writes the checkpoints. The best one comes first: `last` must never know of a best that is not on disk.
    fn save(
        &mut self,
        log: &mut MetricsLog,
        position: &mut Position,
        best: bool,
    ) -> Result<(), TrainError> {
        let state = self.finite_state(position)?;
        position.metrics_length = log.sync()?;
        if best {
            checkpoint::save(&self.folder.best(), &state, position)?;
        }
        Ok(checkpoint::save(&self.folder.last(), &state, position)?)
    }

    /// Times have a file of their own, because the metrics must repeat to the byte.
    fn write_timing(
        &self,
        epoch: u64,
        steps: u64,
        train_seconds: f64,
        seconds: f64,
    ) -> Result<(), FolderError> {
        let path = self.folder.path().join("timing.csv");
        let write = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            if file.metadata()?.len() == 0 {
                writeln!(file, "epoch,steps,train_seconds,seconds")?;
            }
            writeln!(file, "{epoch},{steps},{train_seconds:.3},{seconds:.3}")
        };
        write().map_err(FolderError::write(&path))
    }
}

#[cfg(test)]
mod tests;
