//! The front door: from a `.hqc` file to every graph that can be made from it.
//!
//! The text is read and checked once. A network is elaborated once for each image size; other batch sizes, and the
//! same network without training, are replayed from that elaboration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostic::Diagnostic;
use crate::elaborate::{self, Copied, Network, Project, Size, Study};
use crate::experiment::TrainConfig;
use crate::names::NameMap;
use crate::program::{EVALUATE, Entry, FORMAT, Program, TRAIN};
use crate::steps::{self, Goal, StepError};
use crate::syntax::span::{FileId, Sources, World};

/// A file that is read and checked: its experiment, its network, and the programs that are made from them.
pub struct Compiled<'w> {
    world: &'w dyn World,
    sources: Arc<Sources>,
    settings: Vec<String>,
    project: Project,
    study: Study,
    /// Channels, rows and columns of the network's input.
    input: [usize; 3],
    /// The network in training, before its rules, by channels and rows and columns of the input. Its batch is small.
    elaborated: Mutex<BTreeMap<[usize; 3], Arc<Network>>>,
}

/// Reads the file `path` and what it imports, with settings such as `train.epochs=5` over those of the file, and checks
/// the sections, the network for one sample, and the rules on it.
///
/// # Errors
/// All independent errors of the first stage that has any, and the warnings before them.
pub fn compile<'w>(
    world: &'w dyn World,
    path: &str,
    settings: &[String],
) -> Result<Compiled<'w>, Vec<Diagnostic>> {
    compile_for(world, path, settings, None)
}

/// [`compile`] for a network whose input is not that of the data section, but has these channels, rows and columns.
///
/// # Errors
/// As [`compile`].
pub fn compile_for<'w>(
    world: &'w dyn World,
    path: &str,
    settings: &[String],
    input: Option<[usize; 3]>,
) -> Result<Compiled<'w>, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let read = elaborate::load(&mut sources, world, path, settings).and_then(|project| {
        let study = elaborate::study(&sources, world, &project)?;
        Ok((project, study))
    });
    let sources = Arc::new(sources);
    let (project, mut study) = read.map_err(|errors| within(&sources, errors))?;
    study.warnings = within(&sources, std::mem::take(&mut study.warnings));
    let of_data = study.size(1);
    let compiled = Compiled {
        world,
        sources,
        settings: settings.to_vec(),
        project,
        input: input.unwrap_or([of_data.channels, of_data.height, of_data.width]),
        study,
        elaborated: Mutex::default(),
    };
    match compiled.check() {
        Ok(()) => Ok(compiled),
        Err(errors) => Err([compiled.study.warnings, errors].concat()),
    }
}

/// The lists of names (`names NAME { ... }`) of a file, which needs no model.
///
/// # Errors
/// Everything that is wrong in the lists of the file and of what it imports.
pub fn name_lists(world: &dyn World, path: &str) -> Result<Vec<NameMap>, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let lists = elaborate::load(&mut sources, world, path, &[])
        .and_then(|project| elaborate::name_lists(&sources, world, &project));
    lists.map_err(|errors| within(&Arc::new(sources), errors))
}

fn within(sources: &Arc<Sources>, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let diagnostics = diagnostics.into_iter();
    diagnostics.map(|d| d.within(sources)).collect()
}

impl Compiled<'_> {
    /// The file that was compiled.
    pub fn path(&self) -> &str {
        self.sources.name(self.project.main().file)
    }

    /// The settings that it was compiled with over its own.
    pub fn settings(&self) -> &[String] {
        &self.settings
    }

    /// What the sections of the file ask for.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The paths of the files that were read: the file itself and its imports, `std/` included.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        (0..self.sources.len()).map(|at| self.sources.name(FileId(at as u32)))
    }

    /// What is remarkable but no error.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.study.warnings
    }

    /// The size of the network's input for a batch of `batch` samples.
    pub fn size(&self, batch: usize) -> Size {
        let [channels, height, width] = self.input;
        Size {
            batch,
            channels,
            height,
            width,
        }
    }

    /// The smallest size, not smaller than the given one, that the network's input allows.
    ///
    /// # Errors
    /// There is none near; the sentence says what the given one violates.
    pub fn fitting(&self, size: Size) -> Result<Size, String> {
        elaborate::fitting(&self.sources, self.world, &self.project, &self.study, size)
    }

    /// The text with every setting spelled out and its origin, and the files that it imports. It compiles to the same.
    pub fn resolved(&self) -> (String, Vec<Copied>) {
        elaborate::resolved(&self.sources, &self.project, &self.study)
    }

    /// The network as the source says, without its rules. In training, normalisations use the statistics of the batch
    /// and move their running ones, and dropout drops.
    ///
    /// # Errors
    /// The network cannot take this size.
    pub fn source_network(&self, size: Size, training: bool) -> Result<Network, Vec<Diagnostic>> {
        match self.base(size)?.replayed(size.batch, training) {
            Ok(network) => Ok(network),
            // A layer refuses this batch size; elaboration points at it.
            Err(_) => self.elaborate(size, training),
        }
    }

    /// The network after its rules: weights that circuits generate, adapters and frozen parameters are in place.
    ///
    /// # Errors
    /// The network cannot take this size, or a rule does not apply.
    pub fn network(&self, size: Size, training: bool) -> Result<Network, Vec<Diagnostic>> {
        self.ruled(self.source_network(size, training)?)
    }

    /// One step of training: forward, loss, gradients, optimiser and running statistics.
    ///
    /// # Errors
    /// As [`Compiled::network`]; nothing is left to train.
    pub fn train(&self, size: Size) -> Result<Entry, Vec<Diagnostic>> {
        let TrainConfig { loss, optim, .. } = &self.study.train;
        self.entry(self.network(size, true)?, Goal::Train(loss, optim))
    }

    /// Loss, measures and probabilities, with nothing changed.
    ///
    /// # Errors
    /// As [`Compiled::network`].
    pub fn evaluate(&self, size: Size) -> Result<Entry, Vec<Diagnostic>> {
        let goal = Goal::Evaluate(&self.study.train.loss);
        self.entry(self.network(size, false)?, goal)
    }

    /// The loss and its gradient for each trained parameter, with nothing changed: for optimisers of the caller's own.
    ///
    /// # Errors
    /// As [`Compiled::network`].
    pub fn gradients(&self, size: Size, training: bool) -> Result<Entry, Vec<Diagnostic>> {
        let goal = Goal::Gradients(&self.study.train.loss);
        self.entry(self.network(size, training)?, goal)
    }

    /// Logits and probabilities. Weights that rules replace are parameters under their own names; [`Compiled::weights`]
    /// gives their values.
    ///
    /// # Errors
    /// As [`Compiled::source_network`].
    pub fn predict(&self, size: Size) -> Result<Entry, Vec<Diagnostic>> {
        self.entry(self.source_network(size, false)?, Goal::Predict)
    }

    /// The weights that rules replace, by name; `None` where there are none.
    ///
    /// # Errors
    /// As [`Compiled::network`].
    pub fn weights(&self) -> Result<Option<Entry>, Vec<Diagnostic>> {
        let entry = self.entry(self.network(self.size(1), false)?, Goal::Weights)?;
        Ok((!entry.outputs().is_empty()).then_some(entry))
    }

    /// The entries for these numbers of samples to train on and to evaluate, cut into batches as the `train` section
    /// says.
    ///
    /// # Errors
    /// As [`Compiled::train`].
    pub fn program(&self, train: usize, test: usize) -> Result<Program, Vec<Diagnostic>> {
        let batch = self.study.train.batch;
        let mut entries = BTreeMap::new();
        for size in batch_sizes(train, batch) {
            entries.insert(entry_name(TRAIN, size, batch), self.train(self.size(size))?);
        }
        for size in batch_sizes(test, batch) {
            let entry = self.evaluate(self.size(size))?;
            entries.insert(entry_name(EVALUATE, size, batch), entry);
        }
        Ok(Program {
            format: FORMAT,
            model: self.study.model.clone(),
            entries,
        })
    }

    fn entry(&self, network: Network, goal: Goal<'_>) -> Result<Entry, Vec<Diagnostic>> {
        let graph = steps::step(network.graph, goal);
        graph.map(|graph| Entry { graph }).map_err(|error| {
            let code = match &error {
                StepError::NothingTrained => "train::frozen",
                StepError::Loss(_) | StepError::Fault(_) => "internal",
            };
            vec![Diagnostic::error(code, error.to_string())]
        })
    }

    /// Finds what is wrong with the network and its rules whatever the batch size.
    fn check(&self) -> Result<(), Vec<Diagnostic>> {
        let network = self.base(self.size(1))?;
        self.ruled(Network::clone(&network)).map(drop)
    }

    fn ruled(&self, mut network: Network) -> Result<Network, Vec<Diagnostic>> {
        elaborate::apply(&mut network).map_err(|errors| within(&self.sources, errors))?;
        Ok(network)
    }

    /// The network that those of other batch sizes are replayed from.
    fn base(&self, size: Size) -> Result<Arc<Network>, Vec<Diagnostic>> {
        let key = [size.channels, size.height, size.width];
        let mut elaborated = self
            .elaborated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = elaborated.get(&key) {
            return Ok(Arc::clone(known));
        }
        // Errors show the shapes of one sample. Where a map shrinks to one pixel, one sample has no statistics of the
        // batch, though two have: such a network trains on larger batches, and predicts.
        let of = |batch| self.elaborate(Size { batch, ..size }, true);
        let network = Arc::new(of(1).or_else(|errors| of(2).map_err(|_| errors))?);
        elaborated.insert(key, Arc::clone(&network));
        Ok(network)
    }

    /// The network of one size, elaborated from the text: what every replay must equal.
    ///
    /// # Errors
    /// As [`Compiled::source_network`].
    pub fn elaborate(&self, size: Size, training: bool) -> Result<Network, Vec<Diagnostic>> {
        let (sources, project, study) = (&self.sources, &self.project, &self.study);
        elaborate::network(sources, self.world, project, study, size, training)
            .map_err(|errors| within(sources, errors))
    }
}

/// The sizes of the batches that so many samples make: the full one and the last, smaller one.
fn batch_sizes(samples: usize, batch: usize) -> Vec<usize> {
    let full = (samples >= batch).then_some(batch);
    let rest = samples.checked_rem(batch).filter(|rest| *rest > 0);
    full.into_iter().chain(rest).collect()
}

/// `train` for the full batch, `train.3` for one of 3.
fn entry_name(role: &str, size: usize, batch: usize) -> String {
    if size == batch {
        role.to_owned()
    } else {
        format!("{role}.{size}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_has_its_own_size() {
        assert_eq!(batch_sizes(16, 8), [8]);
        assert_eq!(batch_sizes(19, 8), [8, 3]);
        assert_eq!(batch_sizes(5, 8), [5]);
        assert_eq!(batch_sizes(0, 8), [0; 0]);
    }
}
