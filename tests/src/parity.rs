//! Prints, as a table, how far the networks of `models/` are from the original PyTorch implementations at full width.
//!
//! `parity DIR [--gpu]`: `DIR` holds a folder per network with the original's weights, inputs, outputs, gradients and a report of its f64 run, as
//! `docs/parity.md` describes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use hqcc::cpu::CpuExecutor;
use hqcc::gpu::{DeviceChoice, GpuExecutor, select};
use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::names::key;
use hqcc_compiler::program::StateTensor;
use hqcc_compiler::steps::TARGET;
use hqcc_tests::digest::norm;
use hqcc_tests::machine::{Double, Machine, Single};
use hqcc_tests::networks;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::Deserialize;

type Fault = Box<dyn std::error::Error>;

/// What the networks of a folder are called there, and as written in .hqc.
const MODELS: [(&str, &str, &str); 15] = [
    ("unet", "unet.hqc", "UNet()"),
    ("unet_bilinear", "unet.hqc", "UNet(bilinear = true)"),
    ("unetpp_nested", "unetpp.hqc", "Nested()"),
    (
        "unetpp_nested_ds",
        "unetpp.hqc",
        "Nested(deep_supervision = true)",
    ),
    (
        "unetpp_vgg16",
        "unetpp.hqc",
        "UNetPP(widths = [256, 128, 64, 32, 16])",
    ),
    (
        "unetpp_vgg16_bn",
        "unetpp.hqc",
        "UNetPP(norm = true, widths = [256, 128, 64, 32, 16])",
    ),
    ("unetpp_vgg16_c64", "unetpp.hqc", "UNetPP()"),
    ("unetpp_vgg16_bn_c64", "unetpp.hqc", "UNetPP(norm = true)"),
    ("unext", "unext.hqc", "UNeXt()"),
    (
        "unext_s",
        "unext.hqc",
        "UNeXt(widths = [8, 16, 32, 64, 128])",
    ),
    ("msnet", "msnet.hqc", "MSNet()"),
    ("transunet", "transunet.hqc", "TransUNet(dropout = 0.0)"),
    (
        "transunet_l3",
        "transunet.hqc",
        "TransUNet(layers = 3, dropout = 0.0)",
    ),
    (
        "transunet_tiny",
        "transunet.hqc",
        "TransUNet(layers = 2, hidden = 96, mlp = 192, heads = 4, units = [2, 2, 2], base = 32, widths = [64, 32, 16, 16], dropout = 0.0)",
    ),
    (
        "transunet_vit_b16",
        "transunet.hqc",
        "TransUNet(hybrid = false, dropout = 0.0)",
    ),
];

/// Gradients this much smaller than the largest one are zero but for rounding.
const ZERO: f64 = 1e-9;

/// What the original reports of its runs.
#[derive(Deserialize)]
struct Report {
    torch: String,
    size: usize,
    in_channels: usize,
    batch: usize,
    params: usize,
    noise: Noise,
    train: Mode,
    frozen: Mode,
}

/// How far its f32 is from its f64.
#[derive(Deserialize)]
struct Noise {
    eval_output: f64,
    train_loss: f64,
    frozen_loss: f64,
    train_grad_norm: Worst,
    frozen_grad_norm: Worst,
}

#[derive(Deserialize)]
struct Worst {
    max: f64,
}

#[derive(Deserialize)]
struct Mode {
    loss64: f64,
    grads: BTreeMap<String, Option<Gradient>>,
    #[serde(default)]
    bn: BTreeMap<String, Statistic>,
}

#[derive(Deserialize)]
struct Gradient {
    norm64: f64,
    /// Distance of the f32 vector from the f64 one.
    rel: f64,
}

#[derive(Deserialize)]
struct Statistic {
    norm: f64,
    rel: f64,
}

/// A file of tensors, read when asked for.
struct Tensors(Vec<u8>);

impl Tensors {
    fn read(path: &Path) -> Result<Self, Fault> {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(bytes))
    }

    fn get(&self, name: &str) -> Result<Vec<f64>, Fault> {
        let file = SafeTensors::deserialize(&self.0)?;
        let view = file.tensor(name)?;
        let data = view.data();
        Ok(match view.dtype() {
            Dtype::F32 => {
                let values = data.as_chunks::<4>().0.iter();
                values.map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            Dtype::F64 => {
                let values = data.as_chunks::<8>().0.iter();
                values.map(|b| f64::from_le_bytes(*b)).collect()
            }
            other => return Err(format!("{name}: {other:?} is neither f32 nor f64").into()),
        })
    }
}

/// Relative distance of two vectors.
fn distance(found: &[f64], wanted: &[f64]) -> f64 {
    let differences: Vec<_> = found.iter().zip(wanted).map(|(f, w)| f - w).collect();
    norm(&differences) / norm(wanted)
}

/// The largest distances of one run.
#[derive(Default)]
struct Row {
    output: f64,
    frozen_loss: f64,
    frozen: f64,
    train_loss: f64,
    train: f64,
    statistics: f64,
}

impl Row {
    fn cells(&self) -> String {
        let cells = [
            self.output,
            self.frozen_loss,
            self.frozen,
            self.train_loss,
            self.train,
            self.statistics,
        ];
        cells.map(|cell| format!("{cell:.1e}")).join(" | ")
    }
}

/// A network with the original's numbers beside it.
struct Subject<'d> {
    folder: &'d Path,
    report: Report,
    file: &'static str,
    written: &'static str,
}

impl Subject<'_> {
    fn size(&self) -> Size {
        Size {
            batch: self.report.batch,
            channels: self.report.in_channels,
            height: self.report.size,
            width: self.report.size,
        }
    }

    /// Runs the network with the original's weights. `exact` also holds the directions of gradients against the original's f32 vectors.
    fn run(&self, machine: &mut dyn Machine, exact: bool) -> Result<Row, Fault> {
        let size = self.size();
        let network = networks::model(self.file, self.written, "bce", size)?;
        let names = network.study().names("PyTorch");
        let names = names.ok_or("the file has no `names PyTorch`")?;
        let said = |errors: Vec<Diagnostic>| render_all(&errors);
        let frozen = network.gradients(size, false).map_err(said)?;
        let train = network.gradients(size, true).map_err(said)?;
        let predict = network.predict(size).map_err(said)?;
        let input_name = network.source_network(size, false).map_err(said)?.input;
        machine.load("predict", &predict);
        machine.load("frozen", &frozen);
        machine.load("train", &train);
        let weights = Tensors::read(&self.folder.join("weights.safetensors"))?;
        let mut foreign = BTreeMap::new();
        for StateTensor { name, ty, kind, .. } in train.state() {
            if kind != ParameterKind::Moment {
                let there = names.to_foreign(&name)?;
                machine.write(&name, &ty.shape, &weights.get(&there)?);
                foreign.insert(key(&name), (there, name));
            }
        }
        drop(weights);

        let io = Tensors::read(&self.folder.join("io.safetensors"))?;
        let (input, target) = (io.get("input")?, io.get("target")?);
        let image = [size.batch, size.channels, size.height, size.width];
        let mask = [size.batch, 1, size.height, size.width];
        let image = (input_name.as_str(), &image[..], input.as_slice());
        let target = (TARGET, &mask[..], target.as_slice());
        let mut row = Row::default();
        let out = machine.run("predict", &[image]);
        row.output = distance(&out["logits"], &io.get("eval_output_f64")?);
        for (mode, wanted) in [
            ("frozen", &self.report.frozen),
            ("train", &self.report.train),
        ] {
            let out = machine.run(mode, &[image, target]);
            let loss = (out["loss"][0] / wanted.loss64 - 1.0).abs();
            let gradients = self.gradients(mode, wanted, &foreign, &out, exact)?;
            match mode {
                "frozen" => (row.frozen_loss, row.frozen) = (loss, gradients),
                _ => (row.train_loss, row.train) = (loss, gradients),
            }
        }
        for (there, here) in foreign.values() {
            if let Some(wanted) = self.report.train.bn.get(there) {
                let found = norm(&machine.read(here));
                row.statistics = row.statistics.max((found / wanted.norm - 1.0).abs());
            }
        }
        Ok(row)
    }

    fn gradients(
        &self,
        mode: &str,
        wanted: &Mode,
        foreign: &BTreeMap<String, (String, String)>,
        out: &BTreeMap<String, Vec<f64>>,
        exact: bool,
    ) -> Result<f64, Fault> {
        let vectors = self.folder.join("grads.safetensors");
        let vectors = match exact && vectors.exists() {
            true => Some(Tensors::read(&vectors)?),
            false => None,
        };
        let norms = wanted.grads.values().flatten().map(|g| g.norm64);
        let largest = norms.fold(0.0, f64::max);
        let mut worst: f64 = 0.0;
        for (there, here) in foreign.values() {
            let found = out.get(&format!("grad {here}"));
            let wanted = match (found, wanted.grads.get(there)) {
                (Some(_), Some(Some(wanted))) => wanted,
                (None, None | Some(None)) => continue,
                _ => return Err(format!("`{there}` has a gradient on one side only").into()),
            };
            let found = found.map_or(&[][..], Vec::as_slice);
            if wanted.norm64 <= ZERO * largest {
                worst = worst.max(norm(found) / largest);
                continue;
            }
            worst = worst.max((norm(found) / wanted.norm64 - 1.0).abs());
            if let Some(vectors) = &vectors {
                let theirs = vectors.get(&format!("{mode}/{there}"))?;
                // How far their f32 vector is from our f64 one is how far it is from their own.
                let differences: Vec<_> = theirs.iter().zip(found).map(|(t, f)| t - f).collect();
                let apart = norm(&differences) / norm(found);
                worst = worst.max((apart - wanted.rel).abs());
            }
        }
        Ok(worst)
    }

    /// The original's own f32.
    fn original(&self) -> Row {
        let Report {
            noise,
            train: Mode { bn, .. },
            ..
        } = &self.report;
        Row {
            output: noise.eval_output,
            frozen_loss: noise.frozen_loss,
            frozen: noise.frozen_grad_norm.max,
            train_loss: noise.train_loss,
            train: noise.train_grad_norm.max,
            statistics: bn.values().map(|s| s.rel).fold(0.0, f64::max),
        }
    }
}

fn print_network(folder: &Path, name: &str, gpu: bool) -> Result<(), Fault> {
    let found = MODELS.iter().find(|(known, ..)| *known == name);
    let Some(&(_, file, written)) = found else {
        eprintln!("{name}: not one of the networks here");
        return Ok(());
    };
    let path = folder.join("report.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let subject = Subject {
        folder,
        report: serde_json::from_str(&text)?,
        file,
        written,
    };
    let print =
        |first: [&str; 3], row: &Row| println!("| {} | {} |", first.join(" | "), row.cells());
    let size = format!("{0}x{0}", subject.report.size);
    let parameters = format!("{} at {size}", subject.report.params);
    let row = subject.run(&mut Double(CpuExecutor::new()), true)?;
    print([name, &parameters, "hqcc, CPU, f64"], &row);
    let row = subject.run(&mut Single(Box::new(CpuExecutor::<f32>::new())), false)?;
    print(["", "", "hqcc, CPU, f32"], &row);
    if gpu && let Some(device) = select(&DeviceChoice::Gpu)? {
        let row = subject.run(&mut Single(Box::new(GpuExecutor::new(device))), false)?;
        print(["", "", "hqcc, GPU, f32"], &row);
    }
    let torch = format!("PyTorch {}, f32", subject.report.torch);
    print(["", "", &torch], &subject.original());
    Ok(())
}

fn print_table(dir: &Path, gpu: bool) -> Result<(), Fault> {
    let folders = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut folders: Vec<_> = folders.collect::<Result<_, _>>()?;
    folders.retain(|folder| folder.path().join("report.json").is_file());
    folders.sort_by_key(std::fs::DirEntry::file_name);
    if folders.is_empty() {
        return Err(format!("{} holds no network", dir.display()).into());
    }
    println!(
        "| network | parameters | | output | loss (eval) | gradients (eval) | loss (train) | gradients (train) | running statistics |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        print_network(&folder.path(), &name, gpu).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (dir, gpu) = match words.as_slice() {
        [dir] => (dir, false),
        [dir, "--gpu"] | ["--gpu", dir] => (dir, true),
        _ => {
            eprintln!("usage: parity DIR [--gpu]");
            return ExitCode::from(2);
        }
    };
    match print_table(Path::new(dir), gpu) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
