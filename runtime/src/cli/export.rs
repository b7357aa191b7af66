//! `hqcc export`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::Failure;
use super::args::{CheckpointArg, MessageArgs};
use super::open::open_run;
use super::reporter::Reporter;
use crate::export::{Formats, export};
use crate::report::table::bytes;

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
    checkpoint: CheckpointArg,
    /// Change a setting of the run, such as its size.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder to write into; `export` in the run's folder if it is not given.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

impl Export {
    /// Writes the files.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let run = open_run(&self.run, &self.set, format)?;
        let folder = self.output.clone();
        let folder = folder.unwrap_or_else(|| run.folder.path().join("export"));
        let all = !(self.onnx || self.safetensors || self.pytorch_names);
        let formats = Formats {
            onnx: self.onnx || all,
            safetensors: self.safetensors || all,
            pytorch_names: self.pytorch_names,
        };
        let reporter = Reporter::new(format);
        for path in export(&run, self.checkpoint.into(), formats, &folder)? {
            let length = fs::metadata(&path)?.len();
            let line = format!("{} ({})", path.display(), bytes(length));
            reporter.fact("written", &line, json!({ "file": path, "bytes": length }));
        }
        Ok(())
    }
}
