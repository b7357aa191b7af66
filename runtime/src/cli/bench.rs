//! `hqcc bench`.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use hqcc_compiler::compile;
use hqcc_compiler::program::Entry;
use hqcc_compiler::syntax::span::MemoryWorld;
use serde_json::json;

use super::Failure;
use super::args::{DeviceArgs, MessageArgs, print};
use super::messages::MessageFormat;
use crate::bench::networks::{self, experiment};
use crate::bench::qpg::time_generation;
use crate::bench::steps::{profile, time_steps};
use crate::bench::{Effort, Timing, table};
use crate::device::{Device, words};
use crate::report::table::{Align, Table, si};

/// Time weight generation or training steps, as medians on a named device.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc bench qpg --device cpu\n  \
    hqcc bench step --device cpu\n  \
    hqcc bench step --model unet --width 16 --size 128 --batch 4\n  \
    hqcc bench step --profile --model unet\n  \
    hqcc bench step --message-format json > step.json")]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Step(Step),
    Qpg(Generation),
}

/// Time whole training steps: forward, loss, backward, optimiser.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hqcc bench step --model unet --width 64 --size 256 --batch 8 --device cpu"
)]
struct Step {
    /// The networks, separated by commas.
    #[arg(long, value_parser = PossibleValuesParser::new(networks::names()), value_delimiter = ',', default_values = ["unet", "qunet"])]
    model: Vec<String>,
    /// Channels of the first layer; without it, as many as in the original.
    #[arg(long)]
    width: Option<usize>,
    /// Rows and columns of a sample.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Samples of a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Steps that are timed at most.
    #[arg(long, default_value_t = Effort::default().runs)]
    runs: usize,
    /// Start no further step after so many seconds, once three are done.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Show where the time of a step goes, op by op (CPU only).
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

/// Time the generation of a layer's weights by circuits, and the gradient of its angles.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hqcc bench qpg --device cpu --runs 200")]
struct Generation {
    /// Runs of a case that are timed at most.
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// Start no further run of a case after so many seconds, once three are done.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Generation {
    fn run(self) -> Result<(), Failure> {
        let mut device = Device::open(&self.device.device)?;
        let words = words(device.info());
        let effort = Effort {
            warm_up: 2,
            runs: self.runs,
            seconds: self.seconds,
        };
        let timings = time_generation(&mut *device.executor, effort).map_err(Failure::new)?;
        if self.messages.message_format == MessageFormat::Human {
            print(&format!("device: {words}\n{}", table(&timings)))
        } else {
            print(&format!(
                "{}\n",
                json!({ "reason": "bench", "device": words, "timings": timings })
            ))
        }
    }
}

impl Bench {
    /// Times what was asked for.
    pub fn run(self) -> Result<(), Failure> {
        match self.what {
            What::Step(step) => step.run(),
            What::Qpg(generation) => generation.run(),
        }
    }
}

impl Step {
    fn run(self) -> Result<(), Failure> {
        let human = self.messages.message_format == MessageFormat::Human;
        let mut named = String::new();
        let mut timings: Vec<Timing> = Vec::new();
        for model in &self.model {
            let (name, entry) = self.entry(model)?;
            if self.profile {
                print(&format!("{name}\n{}\n", profile_table(&entry)?))?;
                continue;
            }
            let device = Device::open(&self.device.device)?;
            let shown = words(device.info());
            if human && named.is_empty() {
                print(&format!("device: {shown}\n"))?;
            }
            named = shown;
            let effort = Effort {
                warm_up: 1,
                runs: self.runs,
                seconds: self.seconds,
            };
            timings.push(time_steps(device.executor, &name, &entry, effort).map_err(Failure::new)?);
        }
        if self.profile {
            return Ok(());
        }
        if human {
            print(&table(&timings).to_string())
        } else {
            print(&format!(
                "{}\n",
                json!({ "reason": "bench", "device": named, "timings": timings })
            ))
        }
    }

    /// What is timed: the training step of the paper's recipe.
    fn entry(&self, model: &str) -> Result<(String, Entry), Failure> {
        let Step { size, batch, .. } = self;
        let unknown = || Failure::new(format!("there is no network `{model}`"));
        let (network, generated) = networks::find(model).ok_or_else(unknown)?;
        let width = self.width.unwrap_or(network.width);
        let world = MemoryWorld {
            files: experiment(network, generated, width, *size, *batch),
            ..MemoryWorld::default()
        };
        let experiment = compile(&world, "bench.hqc", &[])?;
        let name = format!("{model} step, width {width}, {size}x{size}, batch {batch}");
        Ok((name, experiment.train(experiment.size(*batch))?))
    }
}

fn profile_table(entry: &Entry) -> Result<Table, Failure> {
    let times = profile(entry).map_err(Failure::new)?;
    let total: f64 = times.iter().map(|op| op.time.as_secs_f64()).sum();
    let numbers = ["times", "seconds", "share", "FLOP/s"].map(|name| (name, Align::Right));
    let mut table = Table::new([("op", Align::Left)].into_iter().chain(numbers));
    for op in times {
        let seconds = op.time.as_secs_f64();
        table.row([
            op.label,
            op.count.to_string(),
            format!("{seconds:.4}"),
            format!("{:.1} %", 100.0 * seconds / total),
            si(op.flops as f64 / seconds.max(1e-12)),
        ]);
    }
    Ok(table)
}
