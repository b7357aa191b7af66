//! A compiled network on a device, as the training loop sees it.

use std::collections::BTreeMap;

use hqcc_compiler::measures::Counts;
use hqcc_compiler::ops::DROPOUT_KEY;
use hqcc_compiler::passes::optimiser::{Optimiser, SCHEDULE};
use hqcc_compiler::program::{EVALUATE, Entry, Program, StateTensor, TRAIN};
use hqcc_compiler::steps::TARGET;
use hqcc_compiler::tensor_type::Layout;

use super::blame::{Culprit, first_in_step};
use super::metrics::JudgedSample;
use super::run_loop::{Fault, Judged, Learner};
use crate::data::Batch;
use crate::error::{Error, NetworkError};
use crate::executor::{Executor, ExecutorError, Outputs};
use crate::random::Stream;
use crate::tensor::Tensor;
use crate::weights::{Weights, WeightsError, initialise};

/// A program loaded on a device.
pub struct Network {
    executor: Box<dyn Executor>,
    optimiser: Optimiser,
    seed: u64,
    state: BTreeMap<String, StateTensor>,
    /// Entries by role and batch size.
    entries: BTreeMap<(&'static str, usize), Loaded>,
}

/// An entry on the device.
#[derive(Clone)]
struct Loaded {
    name: String,
    /// Its image input.
    image: String,
    /// Whether it takes a random key.
    random: bool,
}

/// The random key of a step, a function of the seed and the step alone.
pub fn dropout_key(seed: u64, step: u64) -> Tensor {
    let words = Stream::new(seed, DROPOUT_KEY).bits(step);
    Tensor::from_fn([4], |i| (words[i / 2] >> (i % 2 * 16) & 0xFFFF) as f32)
}

impl Loaded {
    /// What a training step is handed.
    fn inputs<'t>(
        &'t self,
        batch: &'t Batch,
        schedule: &'t Tensor,
        key: &'t Tensor,
    ) -> Vec<(&'t str, &'t Tensor)> {
        let mut inputs = vec![
            (self.image.as_str(), &batch.images),
            (TARGET, &batch.targets),
            (SCHEDULE, schedule),
        ];
        if self.random {
            inputs.push((DROPOUT_KEY, key));
        }
        inputs
    }
}

impl Network {
    /// Loads the entries for training and evaluation; the state is not set yet. `seed` is that of the run.
    ///
    /// # Errors
    /// The device lacks memory or refuses a kernel.
    pub fn load(
        mut executor: Box<dyn Executor>,
        program: &Program,
        optimiser: &Optimiser,
        seed: u64,
        roles: &[&'static str],
    ) -> Result<Self, ExecutorError> {
        let mut entries = BTreeMap::new();
        let mut state = BTreeMap::new();
        for (name, entry) in &program.entries {
            let Some(&role) = roles.iter().find(|role| is_of(name, role)) else {
                continue;
            };
            let Some((batch, image)) = image_input(entry) else {
                continue;
            };
            executor.load(name, entry)?;
            let random = entry.inputs().iter().any(|(input, _)| input == DROPOUT_KEY);
            let loaded = Loaded {
                name: name.clone(),
                image,
                random,
            };
            entries.insert((role, batch), loaded);
            state.extend(
                entry
                    .state()
                    .into_iter()
                    .map(|tensor| (tensor.name.clone(), tensor)),
            );
        }
        Ok(Network {
            executor,
            optimiser: optimiser.clone(),
            seed,
            state,
            entries,
        })
    }

    /// Sets every state tensor to its initial value.
    ///
    /// # Errors
    /// The device's.
    pub fn initialise(&mut self, seed: u64) -> Result<(), ExecutorError> {
        self.state
            .values()
            .try_for_each(|tensor| self.executor.write(&tensor.name, &initialise(tensor, seed)))
    }

    /// Sets every state tensor to what a file holds; tensors that the network does not need are left out.
    ///
    /// # Errors
    /// A tensor is missing or has another shape; the device's.
    pub fn restore(&mut self, weights: &Weights) -> Result<(), Error> {
        for tensor in self.state.values() {
            let name = &tensor.name;
            let value = weights
                .get(name)
                .ok_or_else(|| WeightsError::Missing { name: name.clone() })?;
            if value.shape() != tensor.ty.shape {
                return Err(Error::Weights(WeightsError::Shape {
                    name: name.clone(),
                    found: value.shape().to_vec(),
                    expected: tensor.ty.shape.clone(),
                }));
            }
            self.executor.write(name, value)?;
        }
        Ok(())
    }

    /// Sets some state tensors; those that the network does not need are left out.
    ///
    /// # Errors
    /// A tensor has another shape; the device's.
    pub fn overwrite(&mut self, weights: &Weights) -> Result<(), Error> {
        for (name, value) in weights {
            let Some(tensor) = self.state.get(name) else {
                continue;
            };
            if value.shape() != tensor.ty.shape {
                return Err(Error::Weights(WeightsError::Shape {
                    name: name.clone(),
                    found: value.shape().to_vec(),
                    expected: tensor.ty.shape.clone(),
                }));
            }
            self.executor.write(name, value)?;
        }
        Ok(())
    }

    /// The device.
    pub fn executor(&self) -> &dyn Executor {
        &*self.executor
    }

    fn entry(&self, role: &'static str, batch: usize) -> Result<&Loaded, NetworkError> {
        self.entries.get(&(role, batch)).ok_or_else(|| {
            let known: Vec<String> = self
                .entries
                .keys()
                .map(|(role, batch)| format!("`{role}` for {batch}"))
                .collect();
            NetworkError::NoEntry {
                role,
                batch,
                known: known.join(", "),
            }
        })
    }

    fn schedule(&self, step: u64) -> Tensor {
        let values = self.optimiser.schedule(step);
        Tensor::from_fn([values.len()], |i| values[i])
    }

    /// Finds where a number first stopped being finite in a training step from `state`.
    ///
    /// # Errors
    /// The CPU executor's.
    pub fn blame(
        &self,
        program: &Program,
        state: &Weights,
        step: u64,
        batch: &Batch,
    ) -> Result<Option<Culprit>, Fault> {
        let loaded = self.entry(TRAIN, batch.len())?;
        let Some(entry) = program.entries.get(&loaded.name) else {
            return Ok(None);
        };
        let (schedule, key) = (self.schedule(step), dropout_key(self.seed, step));
        first_in_step(entry, state, &loaded.inputs(batch, &schedule, &key))
    }

    /// Evaluates a batch and gives back all outputs of the entry.
    ///
    /// # Errors
    /// The device's.
    pub fn outputs(&mut self, batch: &Batch) -> Result<Outputs, Error> {
        let Loaded { name, image, .. } = self.entry(EVALUATE, batch.len())?.clone();
        let inputs = [(image.as_str(), &batch.images), (TARGET, &batch.targets)];
        Ok(self.executor.run(&name, &inputs)?)
    }
}

/// Whether an entry is the one of its role, or that role's for another batch size (`train.3`).
fn is_of(name: &str, role: &str) -> bool {
    name.strip_prefix(role)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Batch size and name of the input that is not the target.
fn image_input(entry: &Entry) -> Option<(usize, String)> {
    let images = |(name, ty): (String, hqcc_compiler::tensor_type::TensorType)| {
        (ty.layout == Layout::Image && name != TARGET).then(|| (ty.shape[0], name))
    };
    entry.inputs().into_iter().find_map(images)
}

fn output<'o>(
    outputs: &'o Outputs,
    entry: &str,
    output: &'static str,
) -> Result<&'o [f32], NetworkError> {
    outputs
        .get(output)
        .map(Tensor::data)
        .ok_or_else(|| NetworkError::NoOutput {
            entry: entry.to_owned(),
            output,
        })
}

impl Learner for Network {
    fn submit(&mut self, step: u64, batch: &Batch) -> Result<(), Fault> {
        let loaded = self.entry(TRAIN, batch.len())?.clone();
        let (schedule, key) = (self.schedule(step), dropout_key(self.seed, step));
        let inputs = loaded.inputs(batch, &schedule, &key);
        Ok(self.executor.submit(&loaded.name, &inputs)?)
    }

    fn collect(&mut self) -> Result<f32, Fault> {
        let outputs = self.executor.collect()?.unwrap_or_default();
        let loss = output(&outputs, TRAIN, "loss")?;
        Ok(loss.first().copied().unwrap_or(f32::NAN))
    }

    fn evaluate(&mut self, batch: &Batch, masks: bool) -> Result<Judged, Fault> {
        let outputs = self.outputs(batch)?;
        let get = |name| output(&outputs, EVALUATE, name);
        let loss = get("loss")?.first().copied().unwrap_or(f32::NAN);
        let counts = get("intersection")?
            .iter()
            .zip(get("predicted")?)
            .zip(get("true")?);
        let counts = counts.map(|((&both, &predicted), &truth)| Counts {
            both: both as u64,
            predicted: predicted as u64,
            truth: truth as u64,
        });
        let mut samples: Vec<_> = counts
            .map(|counts| JudgedSample {
                counts,
                masks: None,
            })
            .collect();
        if masks {
            let (probability, truth) = (get("probability")?, batch.targets.data());
            let pixels = (probability.len() / samples.len().max(1)).max(1);
            let each = probability.chunks(pixels).zip(truth.chunks(pixels));
            for (sample, (probability, truth)) in samples.iter_mut().zip(each) {
                let predicted = probability.iter().map(|p| *p > 0.5).collect();
                let truth = truth.iter().map(|t| *t > 0.0).collect();
                sample.masks = Some([predicted, truth]);
            }
        }
        Ok(Judged { loss, samples })
    }

    fn state(&mut self) -> Result<Weights, Fault> {
        let mut weights = Weights::new();
        for name in self.state.keys() {
            weights.insert(name.clone(), self.executor.read(name)?);
        }
        Ok(weights)
    }
}
