//! What `run`, `resume` and `eval` share: an experiment with its data on a device, trained to the end and shown.

use std::path::Path;

use hqcc_compiler::measures::Measure;
use hqcc_compiler::program::Program;
use hqcc_compiler::steps;
use serde_json::json;

use super::Failure;
use super::args::Bar;
use super::device;
use super::eval::Which;
use super::experiment::Experiment;
use crate::data::Dataset;
use crate::executor::Executor;
use crate::report::pictures;
use crate::report::table::{Align, Table, bytes, grouped};
use crate::tensor::Tensor;
use crate::train::blame;
use crate::train::checkpoint::{self, Position};
use crate::train::folder::RunFolder;
use crate::train::interrupt;
use crate::train::log::{self, Record};
use crate::train::network::Network;
use crate::train::progress::Reporter;
use crate::train::run_loop::{Batch, Ending, Run, Schedule, TrainError, replay};
use crate::train::samples::{SliceSamples, sources};

/// Samples on the picture of a run.
const PICTURED: usize = 4;

/// An experiment with its data, its program and a device that has loaded it.
pub struct Session {
    /// The experiment.
    pub experiment: Experiment,
    /// Its data, in batches.
    pub samples: SliceSamples,
    /// Its entries.
    pub program: Program,
    /// The entries on the device.
    pub network: Network,
}

/// Opens a device and says which it is: the first line of a command.
///
/// # Errors
/// No device fits.
pub fn open_device(request: &str, reporter: &Reporter) -> Result<Box<dyn Executor>, Failure> {
    let executor = device::open(request)?;
    let words = device::words(executor.device());
    reporter.fact(
        "device",
        &format!("device: {words}"),
        json!({ "device": executor.device(), "words": words }),
    );
    Ok(executor)
}

impl Session {
    /// Reads the data, compiles the program for its batches, and loads the entries of these roles.
    ///
    /// # Errors
    /// Faults of the data and the network; a device with too little memory.
    pub fn prepare(
        experiment: Experiment,
        executor: Box<dyn Executor>,
        roles: &[&'static str],
        run_folder: &Path,
        reporter: &Reporter,
    ) -> Result<Self, Failure> {
        let settings = experiment.data()?;
        let bar = Bar::start("reading data", 0);
        let dataset = Dataset::open(settings, run_folder, &|progress| {
            bar.length(progress.total as u64);
            bar.set(progress.done as u64);
        });
        bar.end();
        let dataset = dataset?;
        let (train, test) = (dataset.train.len(), dataset.test.len());
        reporter.fact(
            "data",
            &format!(
                "data: {} training and {} test samples",
                grouped(train as u64),
                grouped(test as u64)
            ),
            json!({ "train": train, "test": test }),
        );
        let config = &experiment.study.train;
        let samples = SliceSamples {
            dataset,
            batch: config.batch,
            seed: config.seed,
        };
        let program = experiment.program(train, test)?;
        let trained = trained_parameters(&program);
        let state: u64 = program
            .state()
            .values()
            .map(|tensor| tensor.ty.bytes())
            .sum();
        let model = &program.model;
        reporter.fact(
            "network",
            &format!(
                "network: {model}, {} trained parameters, state of {}",
                grouped(trained),
                bytes(state)
            ),
            json!({ "model": model, "trained_parameters": trained, "state_bytes": state }),
        );
        if executor.device().kind == "gpu" {
            say_memory(&program, roles, reporter)?;
        }
        let network = Network::load(executor, &program, &config.optim, config.seed, roles)?;
        Ok(Session {
            experiment,
            samples,
            program,
            network,
        })
    }

    /// Trains from `position`, then shows what came of it.
    ///
    /// # Errors
    /// Training stopped short; its folder is as good as its last checkpoint.
    pub fn train(
        &mut self,
        folder: &RunFolder,
        mut position: Position,
        reporter: &mut Reporter,
    ) -> Result<(), Failure> {
        let config = &self.experiment.study.train;
        let schedule = Schedule {
            epochs: config.epochs,
            measures: config.metrics.clone(),
            keep: config.keep,
            save_every: config.save_every,
        };
        // A second handler is refused; the first one does as well.
        let _ = interrupt::catch();
        let run = Run {
            learner: &mut self.network,
            samples: &self.samples,
            schedule,
            folder,
            reporter: &mut *reporter,
            stop: &interrupt::asked,
        };
        let ending = { run }.train(&mut position);
        match ending {
            Ok(Ending::Finished) => {}
            Ok(Ending::Interrupted) => {
                let (step, at) = (position.step, folder.path().display());
                let line =
                    format!("stopped after step {step}; `hqcc resume {at}` goes on from there");
                reporter.fact(
                    "interrupted",
                    &line,
                    json!({ "step": step, "run": folder.path() }),
                );
                return Ok(());
            }
            Err(error) => return Err(self.explain(folder, error)),
        }
        self.draw(folder)?;
        show_results(
            folder,
            self.samples.dataset.test.len(),
            &self.experiment.study.train.metrics,
            reporter,
        )
    }

    /// Adds to an error what can be found out about it.
    fn explain(&mut self, folder: &RunFolder, error: TrainError) -> Failure {
        let TrainError::NotFinite { step, .. } = &error else {
            return error.into();
        };
        let mut message = error.to_string();
        match checkpoint::load(&folder.last()) {
            Ok((state, position)) => {
                if let Some(place) = self.locate(&state, &position, *step) {
                    message += &format!("\n  it began with {place}");
                }
                let (at, good) = (folder.last(), position.step);
                message += &format!(
                    "\n  the last good checkpoint is {} (after step {good})",
                    at.display()
                );
            }
            Err(_) => message += "\n  there is no checkpoint: the first values are to blame",
        }
        message += "\n  a smaller learning rate, or other data, may help: `hqcc run ... -s train.optim='adam(lr = 1e-4)'`";
        Failure::new(message)
    }

    /// Where a number first stopped being finite, found by running the steps since the checkpoint again.
    fn locate(
        &mut self,
        state: &crate::weights::Weights,
        position: &Position,
        step: u64,
    ) -> Option<String> {
        // A step whose parameters were not finite already was spoilt by the one before.
        for step in (position.step + 1..=step).rev().take(2) {
            self.network.restore(state).ok()?;
            let (before, batch) =
                replay(&mut self.network, &self.samples, position, step).ok()??;
            if blame::first_in_state(&before).is_none() {
                let culprit = self
                    .network
                    .blame(&self.program, &before, step, &batch)
                    .ok()??;
                return Some(format!("{culprit} of step {step}"));
            }
        }
        None
    }

    /// Draws samples of the test split with the best network's masks.
    fn draw(&mut self, folder: &RunFolder) -> Result<(), Failure> {
        let (state, _) = checkpoint::load(&Which::Best.file(folder))?;
        self.network.restore(&state).map_err(Failure::new)?;
        let test = &self.samples.dataset.test;
        let n = test.len().min(self.samples.batch);
        let picked: Vec<usize> = (0..n).map(|i| i * test.len() / n).collect();
        let batch = test.batch(&picked)?;
        let [_, channels, height, width] = batch.shape;
        let pixels = height * width;
        let tensors = Batch {
            images: Tensor::new(batch.shape, batch.images.clone())?,
            targets: Tensor::new([n, 1, height, width], batch.masks.clone())?,
            sources: sources(test, &picked),
        };
        let outputs = self.network.outputs(&tensors).map_err(Failure::new)?;
        let Some(probability) = outputs.get("probability") else {
            return Ok(());
        };
        let mask = |values: &[f32]| values.iter().map(|v| u8::from(*v > 0.5)).collect();
        let shown = n.min(PICTURED);
        let rows: Vec<pictures::Sample> = (0..shown)
            .map(|row| row * n / shown)
            .map(|i| pictures::Sample {
                height,
                width,
                image: batch.images[i * channels * pixels..][..pixels].to_vec(),
                truth: mask(&batch.masks[i * pixels..][..pixels]),
                prediction: mask(&probability.data()[i * pixels..][..pixels]),
            })
            .collect();
        pictures::write(&folder.path().join("samples.png"), &rows).map_err(Failure::new)
    }
}

/// Says what the largest entry needs on the device, before anything is allocated there.
fn say_memory(program: &Program, roles: &[&str], reporter: &Reporter) -> Result<(), Failure> {
    let mut largest = (0, 0);
    for (name, entry) in &program.entries {
        if roles.contains(&name.as_str()) {
            let memory = steps::plan(&entry.graph)?.memory;
            largest = largest.max((memory.bytes(), memory.state_bytes()));
        }
    }
    let (total, state) = largest;
    let line = format!(
        "memory: {} ({} bytes), of which parameters and optimiser {}",
        bytes(total),
        grouped(total),
        bytes(state)
    );
    reporter.fact(
        "memory",
        &line,
        json!({ "bytes": total, "state_bytes": state }),
    );
    Ok(())
}

/// Numbers that training changes.
pub fn trained_parameters(program: &Program) -> u64 {
    let trained = hqcc_compiler::graph::ParameterKind::Trained;
    program
        .state()
        .values()
        .filter(|t| t.kind == trained)
        .map(|t| t.ty.elements() as u64)
        .sum()
}

/// Prints the table of a finished run and where it lies.
fn show_results(
    folder: &RunFolder,
    samples: usize,
    measures: &[&'static Measure],
    reporter: &Reporter,
) -> Result<(), Failure> {
    let records = log::read(folder.path())?;
    let (_, position) = checkpoint::load(&folder.last())?;
    let best = position.best.as_ref().map(|best| best.epoch);
    let last = records.iter().rev().find_map(epoch_of);
    let titles = ["epoch", "training loss", "test loss"].into_iter();
    let titles = titles.chain(measures.iter().map(|measure| measure.title));
    let titles = titles.map(|title| (title, Align::Right));
    let mut table = Table::new([("", Align::Left)].into_iter().chain(titles));
    let mut rows = Vec::new();
    for (name, wanted) in [("best", best), ("last", last)] {
        let Some(record) = records
            .iter()
            .find(|record| wanted.is_some() && epoch_of(record) == wanted)
        else {
            continue;
        };
        if let Record::Epoch {
            epoch,
            loss,
            test_loss,
            measures: results,
            ..
        } = record
        {
            let losses = [
                name.to_owned(),
                epoch.to_string(),
                format!("{loss:.4}"),
                format!("{test_loss:.4}"),
            ];
            let results = measures.iter().map(|measure| match results.get(measure) {
                Some(spread) => spread.to_string(),
                None => "-".to_owned(),
            });
            table.row(losses.into_iter().chain(results));
            rows.push((name, serde_json::to_value(record)?));
        }
    }
    let at = folder.path().display();
    let samples = grouped(samples as u64);
    let text = format!(
        "\nresults on {samples} test samples (mean ± standard deviation)\n\n{table}\nrun: {at}"
    );
    let rows: serde_json::Map<_, _> = rows
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    reporter.fact(
        "finished",
        &text,
        json!({ "run": folder.path(), "results": rows }),
    );
    Ok(())
}

fn epoch_of(record: &Record) -> Option<u64> {
    if let Record::Epoch { epoch, .. } = record {
        Some(*epoch)
    } else {
        None
    }
}
