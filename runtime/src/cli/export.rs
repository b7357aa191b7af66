//! `hqcc export`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::names::NameMap;
use hqcc_compiler::onnx::{OnnxInfo, to_onnx};
use hqcc_compiler::ops;
use hqcc_compiler::program::{Entry, StateTensor};
use serde_json::json;

use super::Failure;
use super::args::MessageArgs;
use super::baked::Baked;
use super::eval::Which;
use super::experiment::Experiment;
use crate::cpu::CpuExecutor;
use crate::durable::replace_file;
use crate::export::{Exported, Facts, Recipe, write};
use crate::report::table::bytes;
use crate::train::folder::RunFolder;
use crate::train::progress::Reporter;
use crate::weights;

/// Name of the running mean that a batch normalisation keeps, and of PyTorch's counter beside it.
const RUNNING_MEAN: &str = ".running_mean";
const BATCHES: &str = ".num_batches_tracked";

/// Write a trained network for other programs: ONNX, safetensors, or the original PyTorch model.
///
/// Weights that circuits or adapters decide are computed and written as plain ones. Beside them stands `preprocessing.json`: all
/// that is done to a volume before the network and to its answer after. Without an option, `model.onnx` and
/// `model.safetensors` are written. The ONNX file (operator set 18) takes any batch; its height and width are those of the
/// data section, which `-s data.size=[512, 512]` changes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc export runs/first-1                        runs/first-1/export/model.onnx, model.safetensors, preprocessing.json\n  \
    hqcc export runs/first-1 --onnx -o deployed\n  \
    hqcc export runs/unet-1 --pytorch-names         pytorch.safetensors for load_state_dict(..., strict=True)")]
pub struct Export {
    /// Folder of the run.
    run: PathBuf,
    /// Write `model.onnx`.
    #[arg(long)]
    onnx: bool,
    /// Write `model.safetensors`, tensors under their paths.
    #[arg(long)]
    safetensors: bool,
    /// Write `pytorch.safetensors`, tensors under the names that the list `PyTorch` of the model gives them.
    #[arg(long)]
    pytorch_names: bool,
    /// The checkpoint.
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// Change a setting of the run, such as its size.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder to write into; `export` in the run's folder if it is not given.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Export {
    /// Writes the files.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let run = RunFolder::open(&self.run)?;
        let experiment =
            Experiment::open(&run.experiment().display().to_string(), &self.set, format)?;
        let data = experiment.data()?;
        let checkpoint = self.checkpoint.file(&run);
        let (state, position) = weights::load(&checkpoint)?;
        let mut executor = CpuExecutor::<f32>::new();
        let mut baked = Baked::new(&experiment, &mut executor, state)?;
        let network = experiment.network(1, false)?;
        let own = Entry {
            graph: network.graph,
        };
        let state = own.state();
        let classes = own.graph.ty(network.output).shape.get(1).copied();
        let size = experiment.study.size(1);
        let recipe = Recipe::new(&Facts {
            model: &network.model,
            checkpoint: &checkpoint.display().to_string(),
            input: &network.input,
            classes: classes.unwrap_or(1),
            data: &data.preprocessing,
            size: [size.height, size.width],
            threshold: experiment.study.predict.threshold,
        });
        let recipe = serde_json::to_string_pretty(&recipe)? + "\n";
        let folder = self.output.clone().unwrap_or(run.path().join("export"));
        fs::create_dir_all(&folder)
            .map_err(|e| Failure::new(format!("cannot make {}: {e}", folder.display())))?;
        let reporter = Reporter::new(format);
        let all = !(self.onnx || self.safetensors || self.pytorch_names);
        if self.onnx || all {
            let file = onnx(&experiment, &mut baked, &mut executor, &recipe)?;
            save(&reporter, &folder.join("model.onnx"), &file)?;
        }
        if self.safetensors || all {
            let path = folder.join("model.safetensors");
            let names = state.iter().map(|tensor| (tensor.name.clone(), tensor));
            let tensors = tensors(names, &baked)?;
            write(&path, &tensors, &[("hqcc", recipe.clone())])?;
            written(&reporter, &path)?;
        }
        if self.pytorch_names {
            let path = folder.join("pytorch.safetensors");
            let step = position.as_deref().map_or(0, steps_done);
            let tensors = pytorch(&experiment, &state, &baked, step)?;
            let texts = [("format", "pt".to_owned()), ("hqcc", recipe.clone())];
            write(&path, &tensors, &texts)?;
            written(&reporter, &path)?;
        }
        save(
            &reporter,
            &folder.join("preprocessing.json"),
            recipe.as_bytes(),
        )
    }
}

/// The ONNX file of a network, with the recipe in it.
fn onnx(
    experiment: &Experiment,
    baked: &mut Baked,
    executor: &mut CpuExecutor<f32>,
    recipe: &str,
) -> Result<Vec<u8>, Failure> {
    let entry = baked.entry(experiment, executor, experiment.study.size(1))?;
    let model = &experiment.study.model;
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
) -> Result<BTreeMap<String, Exported<'b>>, Failure> {
    names
        .filter(|(_, tensor)| tensor.kind != ParameterKind::Moment)
        .map(|(name, tensor)| {
            let value =
                baked
                    .weights
                    .get(&tensor.name)
                    .ok_or_else(|| weights::WeightsError::Missing {
                        name: tensor.name.clone(),
                    })?;
            Ok((name, Exported::Values(value)))
        })
        .collect()
}

/// All tensors under PyTorch's names, with a counter beside each running mean.
fn pytorch<'b>(
    experiment: &Experiment,
    state: &'b [StateTensor],
    baked: &'b Baked,
    step: i64,
) -> Result<BTreeMap<String, Exported<'b>>, Failure> {
    let study = &experiment.study;
    let names: &NameMap = study.names("PyTorch").ok_or_else(|| {
        Failure::new(format!(
            "`{}` has no list of names `PyTorch`: add `names PyTorch {{ foreign.path => here.path }}` to its file",
            study.model
        ))
    })?;
    let mut foreign = Vec::new();
    let mut taken = BTreeSet::new();
    for tensor in state {
        let name = names.to_foreign(&tensor.name)?;
        if !taken.insert(name.clone()) {
            return Err(Failure::new(format!(
                "the list `PyTorch` gives `{name}` to several tensors, `{}` among them",
                tensor.name
            )));
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

/// The optimiser steps that a checkpoint's position tells of.
fn steps_done(position: &str) -> i64 {
    let value: Option<serde_json::Value> = serde_json::from_str(position).ok();
    value
        .and_then(|value| value.get("step")?.as_i64())
        .unwrap_or(0)
}

fn save(reporter: &Reporter, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace_file(path, bytes)
        .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))?;
    written(reporter, path)
}

fn written(reporter: &Reporter, path: &Path) -> Result<(), Failure> {
    let length = fs::metadata(path)?.len();
    let line = format!("{} ({})", path.display(), bytes(length));
    reporter.fact("written", &line, json!({ "file": path, "bytes": length }));
    Ok(())
}
