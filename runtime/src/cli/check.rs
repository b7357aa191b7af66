//! `hqcc check`.

use clap::Args;
use hqcc_compiler::Compiled;
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps;
use hqcc_compiler::summary::{LayerRow, Summary, summarise};
use serde_json::json;

use super::Failure;
use super::args::{Bar, MessageArgs, SourceArgs, print};
use super::messages::MessageFormat;
use super::open::open;
use crate::data::kits19::case_name;
use crate::data::{self, DataReport};
use crate::report::table::{Align, Table, bytes, grouped, si};
use crate::source;

/// Check a .hqc file and show what its network is and needs, without touching a device.
///
/// The table has a line per layer: the shape of its output for the batch of the `train` section, its trained and frozen
/// parameters (and, where there are any, those of `conv_lora` among the trained, and the unused ones), the weights that circuits generate for it, those circuits, their angles, angles per generated weight, and
/// the floating-point operations of a forward pass. Below it stand the totals and the memory of a training step.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc check first.hqc\n  \
    hqcc check first.hqc --resolved              every setting and where its value comes from\n  \
    hqcc check first.hqc --data                  read all volumes and check them\n  \
    hqcc check first.hqc -s train.batch=32       what would another batch need?")]
pub struct Check {
    #[command(flatten)]
    source: SourceArgs,
    /// Print every setting with its value and where it comes from; the text can be run.
    #[arg(long)]
    resolved: bool,
    /// Read and check all data that the file names.
    #[arg(long, conflicts_with = "resolved")]
    data: bool,
    #[command(flatten)]
    pub(super) messages: MessageArgs,
}

impl Check {
    /// Checks the file.
    pub fn run(self) -> Result<(), Failure> {
        let format = self.messages.message_format;
        let path = self.source.file.display().to_string();
        let experiment = open(&path, &self.source.set, format)?;
        if self.resolved {
            return print(&experiment.resolved().0);
        }
        let batch = experiment.study().train.batch;
        let network = experiment.network(experiment.size(batch), true)?;
        let summary = summarise(&network.graph);
        let input = network.graph.ty(network.input_id).to_string();
        let step = experiment.train(experiment.size(batch))?;
        let cost = Cost::of(&step)?;
        match format {
            MessageFormat::Json => {
                let value = json!({
                    "reason": "check", "model": network.model, "input": input, "summary": summary,
                    "step_flops": cost.flops, "state_bytes": cost.state, "working_bytes": cost.working,
                });
                print(&format!("{value}\n"))?;
            }
            MessageFormat::Human => print(&text(&network.model, &input, &summary, &cost))?,
        }
        if self.data {
            check_data(&experiment, format)
        } else {
            Ok(())
        }
    }
}

/// What a training step costs.
struct Cost {
    flops: u64,
    state: u64,
    working: u64,
}

impl Cost {
    fn of(step: &Entry) -> Result<Self, Failure> {
        let graph = &step.graph;
        let flops = graph
            .ids()
            .map(|id| {
                graph
                    .node(id)
                    .op
                    .flops(&graph.input_types(id), graph.ty(id))
            })
            .sum();
        let plan = steps::plan(graph)?;
        Ok(Cost {
            flops,
            state: plan.memory.state_bytes(),
            working: plan.memory.working_bytes(),
        })
    }
}

fn text(model: &str, input: &str, summary: &Summary, cost: &Cost) -> String {
    let words = ["layer", "op", "output"].map(|name| (name, Align::Left));
    // A network without adapters or unused layers has no columns for them.
    let adapters = summary.layers.iter().any(|row| row.adapter > 0);
    let adapter = adapters.then_some("adapter");
    let unused = (summary.unused > 0).then_some("unused");
    let numbers = ["trained"]
        .into_iter()
        .chain(adapter)
        .chain(["frozen"])
        .chain(unused);
    let numbers = numbers.chain(["generated", "circuits", "angles", "ratio", "FLOP"]);
    let numbers = numbers.map(|name| (name, Align::Right));
    let mut table = Table::new(words.into_iter().chain(numbers));
    for row in &summary.layers {
        table.row(entries(row, adapters, unused.is_some()));
    }
    let totals = [summary.trained, summary.frozen, summary.generated].map(|n| grouped(n as u64));
    let [trained, frozen, generated] = totals;
    let unused = match summary.unused {
        0 => String::new(),
        count => format!(", {} unused", grouped(count as u64)),
    };
    let mut text = format!("model {model}, input {input}\n\n{table}\n");
    text += &format!(
        "parameters       {trained} trained, {frozen} frozen{unused}; {generated} weights generated by circuits\n"
    );
    text += &format!("forward pass     {}FLOP\n", si(summary.flops as f64));
    text += &format!("training step    {}FLOP\n", si(cost.flops as f64));
    text += &format!(
        "memory of a step {} ({} bytes): parameters and optimiser {}, the rest {}\n",
        bytes(cost.state + cost.working),
        grouped(cost.state + cost.working),
        bytes(cost.state),
        bytes(cost.working),
    );
    for row in &summary.layers {
        if let Some(note) = row
            .generation
            .as_ref()
            .and_then(|generation| generation.note())
        {
            text += &format!("note: `{}`: {note}\n", row.path);
        }
    }
    text
}

fn entries(row: &LayerRow, adapters: bool, unused: bool) -> Vec<String> {
    let count = |n: usize| {
        if n == 0 {
            String::from("-")
        } else {
            grouped(n as u64)
        }
    };
    let mut entries = vec![row.path.clone(), row.op.clone(), row.output.clone()];
    entries.push(count(row.trained));
    entries.extend(adapters.then(|| count(row.adapter)));
    entries.push(count(row.frozen));
    entries.extend(unused.then(|| count(row.unused)));
    entries.push(count(row.generated));
    match &row.generation {
        Some(generation) => entries.extend([
            format!(
                "{} x {} qubits",
                grouped(generation.circuits as u64),
                generation.qubits
            ),
            count(generation.angles),
            format!("{:.1} %", 100.0 * generation.ratio()),
        ]),
        None => entries.extend(["-", "-", "-"].map(String::from)),
    }
    entries.push(si(row.flops as f64));
    entries
}

fn check_data(experiment: &Compiled<'_>, format: MessageFormat) -> Result<(), Failure> {
    let settings = source::data(experiment)?;
    let bar = Bar::start("reading data");
    let report = data::check(settings, &|done, total| bar.set(done, total));
    drop(bar);
    let report = report?;
    let (train, test) = (report.samples("train"), report.samples("test"));
    let text = match format {
        MessageFormat::Json => {
            let value = json!({ "reason": "data", "train": train, "test": test, "cases": report.cases,
                                "warnings": report.warnings });
            format!("{value}\n")
        }
        MessageFormat::Human => {
            let mut text = format!("\n{}", data_table(&report));
            for warning in &report.warnings {
                text.push_str(&format!("warning: {warning}\n"));
            }
            let (train, test) = (grouped(train as u64), grouped(test as u64));
            text.push_str(&format!(
                "data             {train} training and {test} test samples, no fault\n"
            ));
            text
        }
    };
    print(&text)
}

/// A line per case.
fn data_table(report: &DataReport) -> Table {
    let words = ["case", "split"].map(|name| (name, Align::Left));
    let numbers = ["voxels", "mm", "HU", "kidney", "tumour", "samples"];
    let numbers = numbers.map(|name| (name, Align::Right));
    let mut table = Table::new(words.into_iter().chain(numbers));
    for c in &report.cases {
        let ([z, y, x], [dz, dy, dx], [lo, hi]) = (c.shape, c.spacing, c.range);
        table.row([
            case_name(c.case),
            c.split.to_owned(),
            format!("{z} x {y} x {x}"),
            format!("{dz:.2} x {dy:.2} x {dx:.2}"),
            format!("{lo:.0} to {hi:.0}"),
            grouped(c.voxels[0]),
            grouped(c.voxels[1]),
            c.samples.to_string(),
        ]);
    }
    table
}
