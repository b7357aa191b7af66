//! A trained network as files for other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hqcc_compiler::Compiled;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::names::NameMap;
use hqcc_compiler::onnx::{OnnxInfo, to_onnx};
use hqcc_compiler::ops;
use hqcc_compiler::program::{Entry, StateTensor};
use serde_json::Value;

use super::recipe::{Facts, Recipe};
use super::tensors::{Exported, write};
use crate::cpu::CpuExecutor;
use crate::durable::replace_file;
use crate::error::{Error, ExportError};
use crate::predict::Baked;
use crate::source;
use crate::train::folder::Which;
use crate::train::saved::SavedRun;
use crate::weights::WeightsError;

/// Name of the running mean that a batch normalisation keeps, and of PyTorch's counter beside it.
const RUNNING_MEAN: &str = ".running_mean";
const BATCHES: &str = ".num_batches_tracked";

/// Which files are written of a network, besides `preprocessing.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// `model.onnx`.
    pub onnx: bool,
    /// `model.safetensors`, tensors under their paths.
    pub safetensors: bool,
    /// `pytorch.safetensors`, tensors under the names that the list `PyTorch` of the model gives them.
    pub pytorch_names: bool,
}

/// Writes a checkpoint of a run into a folder, and says which files it wrote. Weights that circuits or adapters decide
/// are computed on the CPU.
///
/// # Errors
/// A checkpoint that is damaged, an op without ONNX form, names that do not fit, the file system's.
pub fn export(
    run: &SavedRun,
    which: Which,
    formats: Formats,
    folder: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let experiment = &run.experiment;
    let data = source::data(experiment)?;
    let (state, record) = run.weights(which)?;
    let mut executor = CpuExecutor::<f32>::new();
    let mut baked = Baked::new(experiment, &mut executor, state)?;
    let size = experiment.size(1);
    let network = experiment.source_network(size, false)?;
    let classes = network.graph.ty(network.output).shape.get(1).copied();
    let own = Entry {
        graph: network.graph,
    };
    let state = own.state();
    let recipe = Recipe::new(&Facts {
        model: &network.model,
        checkpoint: &run.checkpoint(which)?.display().to_string(),
        input: &network.input,
        classes: classes.unwrap_or(1),
        data: &data.preprocessing,
        size: [size.height, size.width],
        threshold: experiment.study().predict.threshold,
    });
    let recipe = serde_json::to_string_pretty(&recipe)? + "\n";
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.to_owned(),
        source,
    })?;
    let mut files = Vec::new();
    if formats.onnx {
        let path = folder.join("model.onnx");
        save(
            &path,
            &onnx(experiment, &mut baked, &mut executor, &recipe)?,
        )?;
        files.push(path);
    }
    if formats.safetensors {
        let path = folder.join("model.safetensors");
        let names = state.iter().map(|tensor| (tensor.name.clone(), tensor));
        let tensors = tensors(names, &baked)?;
        write(&path, &tensors, &[("hqcc", recipe.clone())])?;
        files.push(path);
    }
    if formats.pytorch_names {
        let path = folder.join("pytorch.safetensors");
        // A file of weights that no run left knows no step.
        let step = record.get("step").and_then(Value::as_i64).unwrap_or(0);
        let tensors = pytorch(experiment, &state, &baked, step)?;
        let texts = [("format", "pt".to_owned()), ("hqcc", recipe.clone())];
        write(&path, &tensors, &texts)?;
        files.push(path);
    }
    let path = folder.join("preprocessing.json");
    save(&path, recipe.as_bytes())?;
    files.push(path);
    Ok(files)
}

/// The ONNX file of a network, with the recipe in it.
fn onnx(
    experiment: &Compiled<'_>,
    baked: &mut Baked,
    executor: &mut CpuExecutor<f32>,
    recipe: &str,
) -> Result<Vec<u8>, Error> {
    let entry = baked.entry(experiment, executor, experiment.size(1))?;
    let model = &experiment.study().model;
    let mut values: BTreeMap<String, String> = entry
        .inputs()
        .into_iter()
        .map(|(name, _)| (name, "preprocessed slices, values from 0 to 1".to_owned()))
        .collect();
    for (name, doc) in [
        ("logits", "the network's output"),
        ("probability", "probability of the foreground, one channel"),
    ] {
        values.insert(name.to_owned(), doc.to_owned());
    }
    let info = OnnxInfo {
        name: model.clone(),
        doc: format!(
            "{model}, trained by hqcc; metadata `preprocessing` says how its input is made"
        ),
        values,
        metadata: vec![("preprocessing".to_owned(), recipe.to_owned())],
    };
    let values = |name: &str| baked.value(name).ok().map(|tensor| tensor.data());
    Ok(to_onnx(&entry.graph, ops::onnx, &values, &info)?)
}

/// Tensors of a network under other names. What only training needs is left out.
fn tensors<'b>(
    names: impl Iterator<Item = (String, &'b StateTensor)>,
    baked: &'b Baked,
) -> Result<BTreeMap<String, Exported<'b>>, Error> {
    names
        .filter(|(_, tensor)| tensor.kind != ParameterKind::Moment)
        .map(|(name, tensor)| {
            let value = baked
                .weights
                .get(&tensor.name)
                .ok_or_else(|| WeightsError::Missing {
                    name: tensor.name.clone(),
                })?;
            Ok((name, Exported::Values(value)))
        })
        .collect()
}

/// All tensors under PyTorch's names, with a counter beside each running mean.
fn pytorch<'b>(
    experiment: &Compiled<'_>,
    state: &'b [StateTensor],
    baked: &'b Baked,
    step: i64,
) -> Result<BTreeMap<String, Exported<'b>>, Error> {
    let study = experiment.study();
    let names: &NameMap = study.names("PyTorch").ok_or_else(|| ExportError::NoNames {
        model: study.model.clone(),
    })?;
    let mut foreign = Vec::new();
    let mut taken = BTreeSet::new();
    for tensor in state {
        let name = names.to_foreign(&tensor.name)?;
        if !taken.insert(name.clone()) {
            let tensor = tensor.name.clone();
            return Err(ExportError::TwiceNamed { name, tensor }.into());
        }
        foreign.push((name, tensor));
    }
    let mut tensors = tensors(foreign.into_iter(), baked)?;
    for tensor in state {
        if let Some(layer) = tensor.name.strip_suffix(RUNNING_MEAN) {
            let name = names.to_foreign(&format!("{layer}{BATCHES}"))?;
            tensors.insert(name, Exported::Count(step));
        }
    }
    Ok(tensors)
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_file(path, bytes).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}
