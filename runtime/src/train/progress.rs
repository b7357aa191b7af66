//! What happens while hqcc works, for whoever wants to show it.

use std::path::Path;
use std::time::Instant;

use super::metrics::Measured;
use crate::weights::import::Report;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// So many cases of the data are ready.
    Reading {
        /// Cases that are ready.
        done: usize,
        /// Cases in all.
        total: usize,
    },
    /// The data is there.
    Data {
        /// Training samples.
        train: usize,
        /// Test samples.
        test: usize,
    },
    /// The network is compiled for the batches of the data.
    Network {
        /// Its name.
        model: &'e str,
        /// Numbers that training changes.
        trained_parameters: u64,
        /// Parameters, statistics and the state of the optimiser. Units: bytes.
        state_bytes: u64,
    },
    /// What the largest entry will need on a GPU, before anything is allocated there.
    Memory {
        /// All of it. Units: bytes.
        bytes: u64,
        /// Parameters and optimiser. Units: bytes.
        state_bytes: u64,
    },
    /// A file of weights was read that the run begins from.
    Start(&'e Report),
    /// A new run has its folder.
    Folder(&'e Path),
    /// A run goes on from a checkpoint.
    Resumed {
        /// Finished epochs.
        epoch: u64,
        /// Finished batches of the epoch after those.
        batch: u64,
        /// Finished steps in all.
        step: u64,
    },
    /// Training begins.
    Training {
        /// Steps that are done already.
        done: u64,
        /// Steps in all.
        total: u64,
    },
    /// A step of training is done.
    Step {
        /// Its epoch, from 1.
        epoch: u64,
        /// The step, from 1.
        step: u64,
        /// The mean loss over its batch.
        loss: f64,
    },
    /// An epoch is trained and measured.
    Epoch(&'e EpochSummary),
    /// Training has ended, for whatever reason.
    Trained,
    /// So many slices of a volume are segmented.
    Slices {
        /// Slices that are segmented.
        done: usize,
        /// Slices in all.
        total: usize,
    },
}

/// Who is told of events. `&mut |_| {}` listens to none.
pub type Observer<'o> = &'o mut (dyn FnMut(Event<'_>) + Send);

/// The results of one epoch.
#[derive(Clone, Debug)]
pub struct EpochSummary {
    /// Epoch, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Mean training loss.
    pub loss: f64,
    /// Mean test loss.
    pub test_loss: f64,
    /// The measures on the test split.
    pub measures: Measured,
    /// Seconds that training and evaluation took.
    pub seconds: f64,
    /// Training samples a second.
    pub samples_per_second: f64,
    /// Whether it is the best epoch so far.
    pub best: bool,
}

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts one.
    pub fn start() -> Self {
        Clock(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
