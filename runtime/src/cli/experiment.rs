//! A `.hqc` file that stands: its network for any batch, its data, its recipe.

use std::collections::BTreeMap;

use hqcc_compiler::diagnostic::Diagnostic;
use hqcc_compiler::elaborate::{self, Copied, Network, Project, Size, Study};
use hqcc_compiler::program::{Entry, FORMAT, Program};
use hqcc_compiler::steps::{self, Recipe, StepError};
use hqcc_compiler::syntax::span::{Sources, World};

use super::Failure;
use super::source::{Disk, check_diagnostics};
use crate::data::DataSettings;
use crate::train::network::{EVALUATE, TRAIN};
use crate::train::progress::MessageFormat;

/// A file, what it imports, and what they say.
pub struct Experiment {
    sources: Sources,
    project: Project,
    world: Box<dyn World>,
    format: MessageFormat,
    /// What the sections ask for.
    pub study: Study,
}

impl Experiment {
    /// Reads a file and everything it imports. What the compiler has to say is printed.
    ///
    /// # Errors
    /// It cannot be read, or the compiler finds an error.
    pub fn open(path: &str, settings: &[String], format: MessageFormat) -> Result<Self, Failure> {
        Experiment::open_in(Box::new(Disk), path, settings, format)
    }

    /// [`Experiment::open`] for files of another world.
    ///
    /// # Errors
    /// As [`Experiment::open`].
    pub fn open_in(
        world: Box<dyn World>,
        path: &str,
        settings: &[String],
        format: MessageFormat,
    ) -> Result<Self, Failure> {
        let mut sources = Sources::default();
        let project = match elaborate::load(&mut sources, &*world, path, settings) {
            Ok(project) => project,
            Err(errors) => return Err(reported(&errors, &sources, format)),
        };
        let study = match elaborate::study(&sources, &*world, &project) {
            Ok(study) => study,
            Err(errors) => return Err(reported(&errors, &sources, format)),
        };
        check_diagnostics(&study.warnings, &sources, format)?;
        Ok(Experiment {
            sources,
            project,
            world,
            format,
            study,
        })
    }

    /// The network as the source says, for a batch.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn network(&self, batch: usize, training: bool) -> Result<Network, Failure> {
        self.network_of(self.study.size(batch), training)
    }

    /// The network as the source says, for inputs of a size.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn network_of(&self, size: Size, training: bool) -> Result<Network, Failure> {
        elaborate::network(
            &self.sources,
            &*self.world,
            &self.project,
            &self.study,
            size,
            training,
        )
        .map_err(|errors| self.refused(&errors))
    }

    /// The network after its rules.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn rewritten(&self, batch: usize, training: bool) -> Result<Network, Failure> {
        let mut network = self.network(batch, training)?;
        elaborate::apply(&mut network).map_err(|errors| self.refused(&errors))?;
        Ok(network)
    }

    fn refused(&self, errors: &[Diagnostic]) -> Failure {
        reported(errors, &self.sources, self.format)
    }

    /// Loss and optimiser.
    pub fn recipe(&self) -> Recipe {
        let train = &self.study.train;
        Recipe {
            loss: train.loss.clone(),
            optimiser: train.optim.clone(),
        }
    }

    /// The graph of a training step.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn train_step(&self, batch: usize) -> Result<Entry, Failure> {
        let network = self.rewritten(batch, true)?;
        let graph = steps::train(network.graph, &[], &self.recipe()).map_err(step_failure)?;
        Ok(Entry { graph })
    }

    /// The graph of an evaluation.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn evaluation(&self, batch: usize) -> Result<Entry, Failure> {
        let network = self.rewritten(batch, false)?;
        let graph =
            steps::evaluate(network.graph, &[], &self.study.train.loss).map_err(step_failure)?;
        Ok(Entry { graph })
    }

    /// A prediction whose generated weights are plain parameters, and the graph that generates them (`None`: no weight
    /// is generated).
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn prediction(&self, batch: usize) -> Result<(Entry, Option<Entry>), Failure> {
        let predict = self.plain(self.study.size(batch))?;
        let weights =
            steps::weights(self.rewritten(batch, false)?.graph, &[]).map_err(step_failure)?;
        Ok((predict, weights.map(|graph| Entry { graph })))
    }

    /// A prediction whose generated weights are plain parameters, for inputs of a size.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn plain(&self, size: Size) -> Result<Entry, Failure> {
        let network = self.network_of(size, false)?;
        let graph = steps::predict(network.graph).map_err(step_failure)?;
        Ok(Entry { graph })
    }

    /// The smallest rows and columns, not smaller than the given ones, that the network's input allows.
    ///
    /// # Errors
    /// There are none near; what stands against the given ones.
    pub fn fitting(&self, [height, width]: [usize; 2]) -> Result<[usize; 2], String> {
        let size = Size {
            height,
            width,
            ..self.study.size(1)
        };
        let (sources, world) = (&self.sources, &*self.world);
        elaborate::fitting(sources, world, &self.project, &self.study, size)
            .map(|size| [size.height, size.width])
    }

    /// Entries for these numbers of samples to train on and to evaluate, cut into batches.
    ///
    /// # Errors
    /// The compiler finds an error.
    pub fn program(&self, train: usize, test: usize) -> Result<Program, Failure> {
        let batch = self.study.train.batch;
        let mut entries = BTreeMap::new();
        for size in batch_sizes(train, batch) {
            entries.insert(entry_name(TRAIN, size, batch), self.train_step(size)?);
        }
        for size in batch_sizes(test, batch) {
            entries.insert(entry_name(EVALUATE, size, batch), self.evaluation(size)?);
        }
        Ok(Program {
            format: FORMAT,
            model: self.study.model.clone(),
            entries,
        })
    }

    /// What the data section asks for.
    ///
    /// # Errors
    /// There is no data section.
    pub fn data(&self) -> Result<&DataSettings, Failure> {
        self.study.data.as_ref().ok_or_else(|| {
            Failure::new("the file names no data: add `data NAME = phantom { ... }` and `data = NAME` in `train`")
        })
    }

    /// The text with all settings spelled out, and the files that it imports.
    pub fn resolved(&self) -> (String, Vec<Copied>) {
        elaborate::resolved(&self.sources, &self.project, &self.study)
    }
}

fn reported(errors: &[Diagnostic], sources: &Sources, format: MessageFormat) -> Failure {
    match check_diagnostics(errors, sources, format) {
        Err(failure) => failure,
        Ok(()) => Failure::Reported,
    }
}

fn step_failure(error: StepError) -> Failure {
    Failure::new(error)
}

/// The sizes of the batches that so many samples make: the full one and the last, smaller one.
pub fn batch_sizes(samples: usize, batch: usize) -> Vec<usize> {
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
