//! `hqcc build`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hqcc_compiler::Compiled;
use hqcc_compiler::plan::Plan;
use hqcc_compiler::program::{Entry, FORMAT, Program};
use hqcc_compiler::steps;
use hqcc_compiler::wgsl::{Target, emit};
use serde_json::json;

use super::Failure;
use super::args::{SourceArgs, print};
use super::messages::MessageFormat;
use super::open::open;
use crate::durable::replace_file;
use hqcc_compiler::program::{EVALUATE, TRAIN};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// Kernels as WGSL, WebGPU's language.
    Wgsl,
    /// Kernels as SPIR-V, for Vulkan.
    Spirv,
    /// Kernels in the Metal shading language.
    Msl,
    /// Kernels as HLSL, for Direct3D 12.
    Hlsl,
    /// The program as data: graphs, kernels, buffers with their lifetimes, dispatches.
    Json,
}

/// Write the compiled program: every kernel in the languages of the back ends, and the whole as JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc build first.hqc\n  \
    hqcc build first.hqc --emit spirv,json -o build/first")]
pub struct Build {
    #[command(flatten)]
    source: SourceArgs,
    /// What to write, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Emit::Wgsl, Emit::Spirv, Emit::Msl, Emit::Hlsl, Emit::Json])]
    emit: Vec<Emit>,
    /// Folder to write into.
    #[arg(short, long, default_value = "build", value_name = "DIR")]
    output: PathBuf,
}

impl Build {
    /// Writes the program.
    pub fn run(self) -> Result<(), Failure> {
        let path = self.source.file.display().to_string();
        let experiment = open(&path, &self.source.set, MessageFormat::Human)?;
        let entries = entries(&experiment)?;
        let mut plans = BTreeMap::new();
        for (name, entry) in &entries {
            plans.insert(name.clone(), steps::plan(&entry.graph)?);
        }
        let mut written = 0;
        for (name, plan) in &plans {
            for target in self.emit.iter().filter_map(|emit| target(*emit)) {
                written += kernels(&self.output.join(name).join(target.name()), plan, target)?;
            }
        }
        if self.emit.contains(&Emit::Json) {
            let program = Program {
                format: FORMAT,
                model: experiment.study().model.clone(),
                entries,
            };
            let text = serde_json::to_string(&json!({ "program": program, "plans": plans }))?;
            write(&self.output.join("program.json"), text.as_bytes())?;
            written += 1;
        }
        let files = if written == 1 { "file" } else { "files" };
        print(&format!("{written} {files} in {}\n", self.output.display()))
    }
}

/// Every entry of a run with a full batch.
fn entries(experiment: &Compiled<'_>) -> Result<BTreeMap<String, Entry>, Failure> {
    let batch = experiment.study().train.batch;
    let predict = experiment.predict(experiment.size(experiment.study().predict.batch))?;
    let mut entries = BTreeMap::from([
        (TRAIN.to_owned(), experiment.train(experiment.size(batch))?),
        (
            EVALUATE.to_owned(),
            experiment.evaluate(experiment.size(batch))?,
        ),
        ("predict".to_owned(), predict),
    ]);
    entries.extend(
        experiment
            .weights()?
            .map(|entry| ("weights".to_owned(), entry)),
    );
    Ok(entries)
}

fn target(emit: Emit) -> Option<Target> {
    match emit {
        Emit::Wgsl => Some(Target::Wgsl),
        Emit::Spirv => Some(Target::Spirv),
        Emit::Msl => Some(Target::Msl),
        Emit::Hlsl => Some(Target::Hlsl),
        Emit::Json => None,
    }
}

/// Writes each kernel of a plan once, numbered as the plan does.
fn kernels(folder: &Path, plan: &Plan, target: Target) -> Result<usize, Failure> {
    for (number, kernel) in plan.kernels.iter().enumerate() {
        let file = format!("{number:03}-{}.{}", kernel.name, target.extension());
        write(&folder.join(file), &emit(kernel, target)?)?;
    }
    Ok(plan.kernels.len())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::new(format!("cannot write {}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    replace_file(path, bytes).map_err(fail)
}
