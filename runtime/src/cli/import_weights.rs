//! `hqcc import-weights`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hqcc_compiler::Compiled;
use hqcc_compiler::compile::name_lists;
use hqcc_compiler::names::NameMap;
use serde_json::json;

use super::Failure;
use super::args::{MessageArgs, print};
use super::messages::MessageFormat;
use super::open::open;
use crate::report::printable::printable;
use crate::report::table::{Align, Table, grouped};
use crate::source::Disk;
use crate::train::start::{Parameters, refuse_missing};
use crate::weights::import::{Fate, Report, Row, Wanted, import, values};
use crate::weights::save;

/// Put the weights of a file into a network, and show what fits.
///
/// Reads safetensors, `torch.save` files of state dicts (both forms; nothing in them is run) and NumPy `.npz` files, and holds
/// each tensor against the parameter of its name: `layer1.0.conv1` and `layer1[0].conv1` are the same name, and rules for other
/// names stand in a `names` item. Weights of three input channels are summed where the network has one. With `-o` the weights
/// are written under the paths of the network. `start = weights("FILE", prefix = encoder, names = NAME)` in `train` does the same at
/// the beginning of a run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc import-weights vgg16.pth --into models/unetpp.hqc --prefix encoder --map std/pretrained.hqc:VGG\n  \
    hqcc import-weights unet.pth --into models/unet.hqc --map PyTorch -o unet.safetensors\n  \
    hqcc import-weights R50+ViT-B_16.npz --into models/transunet.hqc --map std/pretrained.hqc:ViT --missing keep --all")]
pub struct ImportWeights {
    /// The file of weights.
    file: PathBuf,
    /// The .hqc file with the network.
    #[arg(long, value_name = "MODEL.hqc")]
    into: PathBuf,
    /// Which of its models; if not given, that of its `train` section, or its last one.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Change a setting; the value is in .hqc syntax. May be given several times.
    #[arg(short = 's', long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The path below which the tensors of the file belong; if not given, the whole network.
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Rules for names: an item `names NAME` of the model's file, or `FILE.hqc:NAME`, or `FILE.hqc` with one such item.
    #[arg(long, value_name = "RULES")]
    map: Option<String>,
    /// What becomes of parameters that the file lacks.
    #[arg(long, value_enum, default_value_t)]
    missing: MissingArg,
    /// Also refuse tensors that the network does not want.
    #[arg(long)]
    strict: bool,
    /// List the tensors that are taken as they are, too.
    #[arg(long)]
    all: bool,
    /// Write the weights here, under the paths of the network.
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

/// What becomes of parameters that a file lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum MissingArg {
    /// It is an error.
    #[default]
    Refuse,
    /// They are left as they are.
    Keep,
}

impl ImportWeights {
    /// Imports.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let mut settings = self.set.clone();
        settings.extend(self.model.iter().map(|name| format!("train.model={name}")));
        let experiment = open(&self.into, &settings, format)?;
        let names = match &self.map {
            Some(map) => names(map, &experiment)?,
            None => NameMap::default(),
        };
        let parameters = Parameters::of(&experiment)?;
        let wanted = Wanted {
            state: &parameters.state,
            generated: &parameters.generated,
            prefix: &self.prefix,
            names: &names,
        };
        if let Some(output) = &self.output {
            self.refuse_overwriting(output, &experiment)?;
        }
        let (weights, report) = import(&self.file, &wanted)?;
        print(&match format {
            MessageFormat::Human => printable(&self.text(&report, values(&weights))).into_owned(),
            MessageFormat::Json => {
                let mut value = serde_json::to_value(&report)?;
                value["reason"] = json!("import");
                value["counts"] = json!(report.counts());
                value["values"] = json!(values(&weights));
                format!("{value}\n")
            }
        })?;
        if self.missing == MissingArg::Refuse {
            refuse_missing(&report)?;
        }
        let unexpected = report.count(Fate::Unexpected);
        if self.strict && unexpected > 0 {
            let file = self.file.display();
            return Err(Failure::new(format!(
                "{file} has {unexpected} tensors that the network does not want; drop them by rules, `NAME => none`"
            )));
        }
        if let Some(output) = &self.output {
            save(output, &weights, json!({}))?;
        }
        Ok(())
    }

    /// Refuses an output that is one of the files that the command reads.
    fn refuse_overwriting(&self, output: &Path, experiment: &Compiled<'_>) -> Result<(), Failure> {
        let Ok(place) = output.canonicalize() else {
            return Ok(());
        };
        let is_there = |read: &Path| read.canonicalize().is_ok_and(|read| read == place);
        let rules = self.map.as_deref().map(|map| Path::new(split_map(map).0));
        let sources = experiment.files().map(Path::new);
        let mut read = sources.chain([self.file.as_path()]).chain(rules);
        match read.find(|read| is_there(read)) {
            None => Ok(()),
            Some(read) => Err(Failure::new(format!(
                "`-o {}` would take the place of {}, which is read; choose another name",
                output.display(),
                read.display()
            ))),
        }
    }

    fn text(&self, report: &Report, values: usize) -> String {
        let columns = ["", "in the file", "shape", "in the network", "shape", ""];
        let mut table = Table::new(columns.map(|name| (name, Align::Left)));
        for row in &report.rows {
            if self.all || row.fate != Fate::Matched {
                table.row(entries(row));
            }
        }
        let mut text = String::new();
        if !table.is_empty() {
            text += &format!("{table}\n");
        }
        let container = report.container;
        text += &format!("{} ({container})\n", report.file.display());
        if !report.unwrapped.is_empty() {
            text += &format!(
                "every name begins with `{}`, which is left out\n",
                report.unwrapped
            );
        }
        for (word, fate) in Fate::ALL {
            text += &format!("{:>8}  {word}\n", grouped(report.count(fate) as u64));
        }
        text += &format!("{} values\n", grouped(values as u64));
        text
    }
}

fn entries(row: &Row) -> Vec<String> {
    let word = Fate::ALL.iter().find(|(_, fate)| *fate == row.fate);
    let shape =
        |shape: &Option<Vec<usize>>| shape.as_ref().map_or(String::new(), |s| format!("{s:?}"));
    vec![
        word.map_or(String::new(), |(word, _)| (*word).to_owned()),
        row.name.clone().unwrap_or_default(),
        shape(&row.found),
        row.path.clone().unwrap_or_default(),
        shape(&row.expected),
        row.note.clone(),
    ]
}

/// The rules that `--map` names.
fn names(map: &str, experiment: &Compiled<'_>) -> Result<NameMap, Failure> {
    let (file, name) = split_map(map);
    if is_source(file) {
        return names_of_file(file, name);
    }
    experiment.study().names(map).cloned().ok_or_else(|| {
        let known = known(experiment.study().names_known().into_iter());
        Failure::new(format!(
            "there are no names called `{map}` in the model's file; {known}. Those of another file are `--map FILE.hqc:NAME`"
        ))
    })
}

/// `FILE.hqc:NAME` as file and name.
fn split_map(map: &str) -> (&str, Option<&str>) {
    match map.rsplit_once(':') {
        Some((file, name)) if is_source(file) => (file, Some(name)),
        _ => (map, None),
    }
}

fn is_source(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "hqc")
}

fn names_of_file(file: &str, name: Option<&str>) -> Result<NameMap, Failure> {
    let lists = name_lists(&Disk, file)?;
    let one = lists.len() == 1;
    let picked = lists
        .iter()
        .find(|list| name.map_or(one, |name| list.name == name));
    picked.cloned().ok_or_else(|| {
        let known = known(lists.iter().map(|list| list.name.as_str()));
        let wanted = name.map_or("one list of names".to_owned(), |name| {
            format!("names called `{name}`")
        });
        Failure::new(format!("{file} does not hold {wanted}; {known}"))
    })
}

fn known<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", names.join(", ")),
    }
}
