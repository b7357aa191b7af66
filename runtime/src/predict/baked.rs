//! A trained network without circuits and adapters, as `predict` and `export` use it.

use std::collections::BTreeMap;

use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::passes::fold::fold;
use hqcc_compiler::program::Entry;

use crate::error::{Error, PredictError};
use crate::executor::Executor;
use crate::tensor::Tensor;
use crate::weights::{Weights, WeightsError, not_finite};

/// The parameters of a network as its source has them: each weight that circuits or adapters decide is computed once and
/// stands under its own name.
pub struct Baked {
    /// All of them, with whatever else the checkpoint holds.
    pub weights: Weights,
    /// What the network computes from parameters alone, by name.
    folded: Option<Weights>,
}

impl Baked {
    /// Computes the weights of a checkpoint that circuits and adapters decide.
    ///
    /// # Errors
    /// The checkpoint lacks a tensor, or the device fails.
    pub fn new(
        experiment: &Compiled<'_>,
        executor: &mut dyn Executor,
        mut weights: Weights,
    ) -> Result<Self, Error> {
        if let Some(entry) = experiment.weights()? {
            weights.extend(evaluate(executor, "weights", &entry, &weights)?);
        }
        Ok(Baked {
            weights,
            folded: None,
        })
    }

    /// The network for inputs of a size, all that parameters alone decide being parameters.
    ///
    /// # Errors
    /// The checkpoint lacks a tensor, or the device fails.
    pub fn entry(
        &mut self,
        experiment: &Compiled<'_>,
        executor: &mut dyn Executor,
        size: Size,
    ) -> Result<Entry, Error> {
        let entry = experiment.predict(size)?;
        let folded = fold(&entry.graph)?;
        if self.folded.is_none() {
            let values = match folded.constants {
                None => BTreeMap::new(),
                Some(graph) => evaluate(executor, "folded", &Entry { graph }, &self.weights)?,
            };
            self.folded = Some(values);
        }
        Ok(Entry {
            graph: folded.graph,
        })
    }

    /// A parameter of an [entry](Baked::entry).
    ///
    /// # Errors
    /// The checkpoint lacks it.
    pub fn value(&self, name: &str) -> Result<&Tensor, WeightsError> {
        let folded = self.folded.as_ref().and_then(|values| values.get(name));
        let found = folded.or_else(|| self.weights.get(name));
        found.ok_or_else(|| WeightsError::Missing {
            name: name.to_owned(),
        })
    }
}

/// The outputs of a graph of parameters alone.
fn evaluate(
    executor: &mut dyn Executor,
    name: &str,
    entry: &Entry,
    weights: &Weights,
) -> Result<Weights, Error> {
    executor.load(name, entry)?;
    for tensor in entry.state() {
        let value = weights.get(&tensor.name);
        let value = value.ok_or_else(|| WeightsError::Missing {
            name: tensor.name.clone(),
        })?;
        executor.write(&tensor.name, value)?;
    }
    let values = executor.run(name, &[])?;
    match not_finite(&values) {
        Some((name, value)) => Err(Error::Predict(PredictError::NotFinite {
            name: name.to_owned(),
            value,
        })),
        None => Ok(values),
    }
}
