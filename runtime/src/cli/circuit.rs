//! `hqcc circuit`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hqcc_compiler::Compiled;
use hqcc_compiler::generation::{GeneratedWeight, generated_weight};
use hqcc_compiler::program::Entry;
use hqcc_compiler::quantum::picture::{Picture, to_svg, to_text};
use hqcc_compiler::quantum::qasm::to_qasm;

use super::Failure;
use super::args::{CheckpointArg, SourceArgs, print};
use super::messages::MessageFormat;
use super::open::open;
use crate::durable::replace_file;
use crate::tensor::Tensor;
use crate::train::folder::RunFolder;
use crate::train::standing::checkpoint_file;
use crate::weights;

/// What a circuit is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A drawing in characters.
    #[default]
    Text,
    /// A picture.
    Svg,
    /// OpenQASM 3, to be run elsewhere.
    Qasm,
}

/// Show a circuit that generates a layer's weight, as text, as a picture, or as OpenQASM 3.
///
/// A layer has one circuit per target channel and kernel position, all with the same gates; `--index` picks one by
/// (target * KH + row) * KW + column. Angles are those that training starts from, or those of a run. Qubit 0 is the most
/// significant bit of an amplitude's index; Qiskit counts the other way round.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc circuit first.hqc head\n  \
    hqcc circuit first.hqc head --index 4 --format svg -o head.svg\n  \
    hqcc circuit first.hqc head --angles runs/first-1 --format qasm -o head.qasm")]
pub struct CircuitCommand {
    #[command(flatten)]
    source: SourceArgs,
    /// Path of the layer; `hqcc check` lists them.
    path: String,
    /// Which of the layer's circuits.
    #[arg(long, default_value_t = 0, value_name = "N")]
    index: usize,
    /// Where angles come from: a run's folder, or a seed to draw them with.
    #[arg(long, value_name = "RUN|SEED")]
    angles: Option<String>,
    /// The checkpoint of the run.
    #[arg(long, value_enum, default_value_t)]
    checkpoint: CheckpointArg,
    /// What to write.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl CircuitCommand {
    /// Shows the circuit.
    pub fn run(self) -> Result<(), Failure> {
        let path = self.source.file.display().to_string();
        let experiment = open(&path, &self.source.set, MessageFormat::Human)?;
        let graph = experiment.network(experiment.size(1), false)?.graph;
        let weight = generated_weight(&graph, &self.path).map_err(Failure::new)?;
        let count = weight.count();
        if self.index >= count {
            return Err(Failure::new(format!(
                "`{}` has {count} circuits: --index goes from 0 to {}",
                weight.layer,
                count - 1
            )));
        }
        let (theta, from) = self.theta(&experiment, &Entry { graph }, &weight)?;
        let angles = weight.angles();
        let own = theta.data()[self.index * angles..][..angles].iter();
        let own: Vec<f64> = own.map(|&angle| f64::from(angle)).collect();
        if own.iter().any(|angle| !angle.is_finite()) {
            return Err(Failure::new(format!(
                "`{}` holds an angle that is no finite number",
                weight.theta
            )));
        }
        let mut notes = weight.notes(self.index);
        notes.push(from);
        let picture = Picture {
            title: &format!(
                "{}: circuit {} of {count}, counted from 0",
                weight.layer, self.index
            ),
            notes: &notes,
            ansatz: &weight.circuit.ansatz,
            qubits: weight.circuit.qubits,
            blocks: weight.circuit.blocks,
            angles: &own,
        };
        let text = match self.format {
            Format::Text => to_text(&picture),
            Format::Svg => to_svg(&picture),
            Format::Qasm => to_qasm(&picture),
        };
        match self.output {
            None => print(&text),
            Some(path) => replace_file(&path, text.as_bytes())
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display()))),
        }
    }

    /// The angles of all circuits of the layer, and where they come from.
    fn theta(
        &self,
        experiment: &Compiled<'_>,
        entry: &Entry,
        weight: &GeneratedWeight,
    ) -> Result<(Tensor, String), Failure> {
        let state = entry.state();
        let missing = || Failure::new(format!("the network has no `{}`", weight.theta));
        let start = state.iter().find(|tensor| tensor.name == weight.theta);
        let start = start.ok_or_else(missing)?;
        let seed = match &self.angles {
            None => experiment.study().train.seed,
            Some(text) => match text.parse() {
                Ok(seed) => seed,
                Err(_) => {
                    let folder = RunFolder::open(Path::new(text))?;
                    let file = checkpoint_file(&folder, self.checkpoint.into())?;
                    let (state, _) = weights::load(&file)?;
                    let found = state.get(&weight.theta).ok_or_else(|| {
                        Failure::new(format!("{} has no `{}`", file.display(), weight.theta))
                    })?;
                    if found.shape() != start.ty.shape {
                        return Err(Failure::new(format!(
                            "`{}` is {:?} in {} but {:?} here",
                            weight.theta,
                            found.shape(),
                            file.display(),
                            start.ty.shape
                        )));
                    }
                    return Ok((found.clone(), format!("angles: {}", file.display())));
                }
            },
        };
        let theta = weights::initialise(start, seed);
        Ok((
            theta,
            format!("angles: as training starts with seed {seed}"),
        ))
    }
}
