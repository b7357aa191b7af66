//! Training, resuming and measuring: an experiment with its data on a device.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hqcc_compiler::Compiled;
use hqcc_compiler::dot::{DotOptions, to_dot};
use hqcc_compiler::elaborate::print_start;
use hqcc_compiler::experiment::Source;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::measures::Measure;
use hqcc_compiler::program::{EVALUATE, Program, TRAIN};
use hqcc_compiler::steps;
use hqcc_compiler::syntax::print::quote;
use serde_json::json;

use super::checkpoint::{self, Position};
use super::folder::{RunFolder, RunInfo, Which};
use super::identity::Identity;
use super::lock::RunLock;
use super::network::Network;
use super::progress::{Event, Observer};
use super::run_loop::{self, Ending, Results, Run, Schedule, TrainError, replay};
use super::samples::SliceSamples;
use super::saved::SavedRun;
use super::standing::{checkpoint_file, standing};
use super::start;
use crate::data::Dataset;
use crate::device::{self, Device};
use crate::durable::remove_leftovers;
use crate::error::{Diverged, Error};
use crate::executor::Executor;
use crate::report::pictures;
use crate::source;
use crate::weights::import::Report;
use crate::weights::{Weights, not_finite};

/// Samples on the picture of a run.
const PICTURED: usize = 4;

/// What came of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Where everything lies.
    pub folder: RunFolder,
    /// Whether it came to the end.
    pub ending: Ending,
    /// Steps that are done.
    pub step: u64,
    /// Samples that it was measured on after each epoch.
    pub test_samples: usize,
    /// What was measured.
    pub measures: Vec<&'static Measure>,
}

/// Trains the network of an experiment from its start, in the new folder `<runs>/<name>-<n>`, until it is through or
/// `stop` says so after a batch; [`resume`] then goes on.
///
/// ```no_run
/// let experiment = hqcc::open("models/quickstart.hqc", &["train.epochs=2"])?;
/// let device = hqcc::Device::open("auto")?;
/// let trained = hqcc::train(experiment, device, "runs", "first", &|| false, &mut |_| {})?;
/// println!("{}", trained.folder.path().display());
/// # Ok::<(), hqcc::Error>(())
/// ```
///
/// # Errors
/// The experiment has no `train` section or no data; the data's, the device's and the file system's.
pub fn train(
    experiment: Compiled<'static>,
    device: Device,
    runs: impl AsRef<Path>,
    name: &str,
    stop: &dyn Fn() -> bool,
    observer: Observer<'_>,
) -> Result<Trained, Error> {
    let source = experiment.path().to_owned();
    if !experiment.study().has_train {
        return Err(Error::NoTrain {
            source_file: source,
        });
    }
    let overrides = experiment.settings().to_vec();
    let experiment = with_absolute_paths(experiment)?;
    let runs = runs.as_ref();
    let Device { request, executor } = device;
    let roles = [TRAIN, EVALUATE];
    let folder = runs.join(name);
    let mut session = Session::prepare(experiment, executor, &roles, &folder, &mut *observer)?;
    let seed = session.experiment.study().train.seed;
    session.network.initialise(seed)?;
    let started = start::apply(&session.experiment, &mut session.network, &mut *observer)?;

    let info = session.network.executor().device();
    let info = RunInfo {
        hqcc: env!("CARGO_PKG_VERSION").to_owned(),
        device: device::words(info),
        device_request: request,
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        threads: info.threads.unwrap_or(1),
        seed,
        source,
        overrides,
        trained_parameters: trained_parameters(&session.program),
        identity: identity(&session.experiment)?,
    };
    let folder = RunFolder::create(runs, name)?;
    let _lock = write_start(&folder, &session.experiment, &started, &info).inspect_err(|_| {
        // A folder that cannot be resumed serves nobody; it was made by this process a moment ago.
        let _ = std::fs::remove_dir_all(folder.path());
    })?;
    observer(Event::Folder(folder.path()));
    session.train(folder, Position::start(seed), stop, observer)
}

/// Locks the folder of a run and writes the files that it starts with.
fn write_start(
    folder: &RunFolder,
    experiment: &Compiled<'_>,
    started: &[Report],
    info: &RunInfo,
) -> Result<RunLock, Error> {
    let lock = RunLock::take(folder)?;
    let (text, copies) = experiment.resolved();
    folder.write("experiment.hqc", &text)?;
    for copy in copies {
        folder.write(&copy.name, &copy.text)?;
    }
    if !started.is_empty() {
        let text = serde_json::to_string_pretty(started)? + "\n";
        folder.write("start.json", &text)?;
    }
    let size = experiment.size(experiment.study().train.batch);
    let network = experiment.network(size, true)?;
    let options = DotOptions {
        title: network.model.clone(),
        ..DotOptions::default()
    };
    folder.write("graph.dot", &to_dot(&network.graph, &options))?;
    folder.write_info(info)?;
    Ok(lock)
}

/// What a run of an experiment keeps from its first step to its last.
fn identity(experiment: &Compiled<'_>) -> Result<Identity, Error> {
    let study = experiment.study();
    let settings = json!({ "train": study.train, "data": study.data });
    let network = experiment.network(experiment.size(study.train.batch), true)?;
    Ok(Identity::new(settings, &network.graph)?)
}

/// Goes on with a run from its last checkpoint. On the device that it began on it ends with the bits of a run that was
/// never interrupted. A run that is through stays as it is.
///
/// # Errors
/// As [`train`]; another process trains the run, the run has lost something or is damaged, or its experiment is another one
/// by now. Nothing is changed then.
pub fn resume(
    run: SavedRun,
    device: Device,
    stop: &dyn Fn() -> bool,
    observer: Observer<'_>,
) -> Result<Trained, Error> {
    let SavedRun { folder, experiment } = run;
    let info = folder.read_info()?;
    let _lock = RunLock::take(&folder)?;
    let changes = info.identity.changes(&identity(&experiment)?);
    if !changes.is_empty() {
        return Err(Error::Changed {
            experiment: folder.experiment(),
            changes,
        });
    }
    let standing = standing(&folder)?;
    remove_leftovers(folder.path()).map_err(|source| Error::Write {
        path: folder.path().to_owned(),
        source,
    })?;
    let roles = [TRAIN, EVALUATE];
    let mut session = Session::prepare(
        experiment,
        device.executor,
        &roles,
        folder.path(),
        &mut *observer,
    )?;
    let position = match standing {
        Some((state, position)) => {
            session.network.restore(&state)?;
            position
        }
        None => {
            session.network.initialise(info.seed)?;
            start::apply(&session.experiment, &mut session.network, &mut *observer)?;
            Position::start(info.seed)
        }
    };
    observer(Event::Resumed {
        epoch: position.epoch,
        batch: position.batch,
        step: position.step,
    });
    session.train(folder, position, stop, observer)
}

/// Measures a checkpoint of a run on the test split of its data.
///
/// # Errors
/// The data's and the device's; a checkpoint that is damaged.
pub fn evaluate(
    run: SavedRun,
    which: Which,
    device: Device,
    observer: Observer<'_>,
) -> Result<Results, Error> {
    let (state, _) = run.weights(which)?;
    let SavedRun { folder, experiment } = run;
    let executor = device.executor;
    let mut session = Session::prepare(experiment, executor, &[EVALUATE], folder.path(), observer)?;
    session.network.restore(&state)?;
    let measures = &session.experiment.study().train.metrics;
    Ok(run_loop::evaluate(
        &mut session.network,
        &session.samples,
        measures,
    )?)
}

/// An experiment with its data, its program and a device that has loaded it.
struct Session {
    experiment: Compiled<'static>,
    /// Its data, in batches.
    samples: SliceSamples,
    /// Its entries.
    program: Program,
    /// The entries on the device.
    network: Network,
}

impl Session {
    /// Reads the data, compiles the program for its batches, and loads the entries of these roles.
    fn prepare(
        experiment: Compiled<'static>,
        executor: Box<dyn Executor>,
        roles: &[&'static str],
        run_folder: &Path,
        observer: Observer<'_>,
    ) -> Result<Self, Error> {
        let settings = source::data(&experiment)?;
        // Threads that read cases report here.
        let told = Mutex::new(&mut *observer);
        let opened = Dataset::open(settings, run_folder, &|progress| {
            let (done, total) = (progress.done, progress.total);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            (*told)(Event::Reading { done, total });
        });
        let dataset = opened?;
        let (train, test) = (dataset.train.len(), dataset.test.len());
        observer(Event::Data { train, test });
        let config = &experiment.study().train;
        let samples = SliceSamples {
            dataset,
            batch: config.batch,
            seed: config.seed,
        };
        let program = experiment.program(train, test)?;
        let state = program.state();
        observer(Event::Network {
            model: &program.model,
            trained_parameters: trained_parameters(&program),
            state_bytes: state.values().map(|tensor| tensor.ty.bytes()).sum(),
        });
        if executor.device().kind == "gpu" {
            observer(memory(&program, roles)?);
        }
        let network = Network::load(executor, &program, &config.optim, config.seed, roles)?;
        Ok(Session {
            experiment,
            samples,
            program,
            network,
        })
    }

    /// Trains from `position`, then draws what came of it.
    fn train(
        &mut self,
        folder: RunFolder,
        mut position: Position,
        stop: &dyn Fn() -> bool,
        observer: Observer<'_>,
    ) -> Result<Trained, Error> {
        let config = &self.experiment.study().train;
        let schedule = Schedule {
            epochs: config.epochs,
            measures: config.metrics.clone(),
            keep: config.keep,
            save_every: config.save_every,
        };
        let mut run = Run {
            learner: &mut self.network,
            samples: &self.samples,
            schedule,
            folder: &folder,
            observer,
            stop,
        };
        let ending = match run.train(&mut position) {
            Ok(ending) => ending,
            Err(error) => return Err(self.explain(&folder, error)),
        };
        if ending == Ending::Finished {
            self.draw(&folder)?;
        }
        Ok(Trained {
            folder,
            ending,
            step: position.step,
            test_samples: self.samples.dataset.test.len(),
            measures: self.experiment.study().train.metrics.clone(),
        })
    }

    /// Adds to an error what can be found out about it.
    fn explain(&mut self, folder: &RunFolder, error: TrainError) -> Error {
        let TrainError::NotFinite { step, .. } = error else {
            return error.into();
        };
        let (began_with, good) = match checkpoint::load(&folder.last()) {
            Ok((state, position)) => {
                let place = self.locate(&state, &position, step);
                (place, Ok((folder.last(), position.step)))
            }
            Err(_) if step == 0 => {
                let why =
                    "no step was taken, so the initial values that `init` gives are not finite";
                (None, Err(why.to_owned()))
            }
            Err(error) => (None, Err(error.to_string())),
        };
        Error::Diverged(Box::new(Diverged {
            error,
            began_with,
            good,
        }))
    }

    /// Where a number first stopped being finite, found by running the steps since the checkpoint again.
    fn locate(&mut self, state: &Weights, position: &Position, step: u64) -> Option<String> {
        // A step whose parameters were not finite already was spoilt by the one before.
        for step in (position.step + 1..=step).rev().take(2) {
            self.network.restore(state).ok()?;
            let (before, batch) =
                replay(&mut self.network, &self.samples, position, step).ok()??;
            if not_finite(&before).is_none() {
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
    fn draw(&mut self, folder: &RunFolder) -> Result<(), Error> {
        let (state, _) = checkpoint::load(&checkpoint_file(folder, Which::Best)?)?;
        self.network.restore(&state)?;
        let test = &self.samples.dataset.test;
        let n = test.len().min(self.samples.batch);
        let picked: Vec<usize> = (0..n).map(|i| i * test.len() / n).collect();
        let batch = test.batch(&picked)?;
        let &[_, channels, height, width] = batch.images.shape() else {
            return Ok(());
        };
        let pixels = height * width;
        let outputs = self.network.outputs(&batch)?;
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
                image: batch.images.data()[i * channels * pixels..][..pixels].to_vec(),
                truth: mask(&batch.targets.data()[i * pixels..][..pixels]),
                prediction: mask(&probability.data()[i * pixels..][..pixels]),
            })
            .collect();
        let drawn = pictures::write(&folder.path().join("samples.png"), &rows);
        Ok(drawn.map_err(TrainError::Chart)?)
    }
}

/// What the largest entry needs on a GPU.
fn memory(program: &Program, roles: &[&str]) -> Result<Event<'static>, Error> {
    let mut largest = (0, 0);
    for (name, entry) in &program.entries {
        if roles.contains(&name.as_str()) {
            let memory = steps::plan(&entry.graph)?.memory;
            largest = largest.max((memory.bytes(), memory.state_bytes()));
        }
    }
    let (bytes, state_bytes) = largest;
    Ok(Event::Memory { bytes, state_bytes })
}

/// Numbers that training changes.
fn trained_parameters(program: &Program) -> u64 {
    program
        .state()
        .values()
        .filter(|t| t.kind == ParameterKind::Trained)
        .map(|t| t.ty.elements() as u64)
        .sum()
}

/// The experiment with absolute paths, so that its run goes on from any working directory.
fn with_absolute_paths(experiment: Compiled<'static>) -> Result<Compiled<'static>, Error> {
    let study = experiment.study();
    let absolute = |path: &Path| -> Option<String> {
        let relative = !path.is_absolute();
        let absolute: Option<PathBuf> = relative.then(|| std::path::absolute(path).ok()).flatten();
        absolute.map(|path| path.to_string_lossy().into_owned())
    };
    let mut settings = experiment.settings().to_vec();
    let root = match study.data.as_ref().map(|data| &data.source) {
        Some(Source::Kits19(kits)) => kits.root.as_deref(),
        _ => None,
    };
    if let Some(root) = root.and_then(absolute) {
        settings.push(format!("data.root={}", quote(&root)));
    }
    let mut start = study.train.start.clone();
    let mut moved = false;
    for given in &mut start {
        if let Some(file) = absolute(Path::new(&given.file)) {
            given.file = file;
            moved = true;
        }
    }
    if moved {
        settings.push(format!("train.start={}", print_start(&start)));
    }
    if settings.len() == experiment.settings().len() {
        return Ok(experiment);
    }
    source::open(experiment.path(), &settings)
}
