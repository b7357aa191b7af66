//! The command line: one file per command.
//!
//! Exit codes: 0 success, 1 an error (printed to standard error), 2 wrong usage, 130 a run that a signal stopped. Results go to
//! standard output.

mod args;
mod bench;
mod build;
mod check;
mod circuit;
mod completions;
mod devices;
mod eval;
mod explain;
mod export;
mod failure;
mod fmt;
mod graph;
mod import_weights;
mod messages;
mod new;
mod open;
mod ops;
mod phantom;
mod predict;
mod reporter;
mod results;
mod resume;
mod run;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use failure::Failure;
use messages::MessageFormat;

/// Compile and train hybrid quantum-classical segmentation networks.
///
/// A network and its experiment stand in a .hqc file. `hqcc run FILE` trains it and leaves a folder with curves, tables and
/// checkpoints; layers marked `@qpg` get their weights from simulated variational quantum circuits. It runs on any Vulkan,
/// Metal or DX12 GPU, and on the CPU where there is none.
#[derive(Debug, Parser)]
#[command(
    name = "hqcc",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "First steps:\n  \
        hqcc new first.hqc                    write a small experiment on made-up CT volumes\n  \
        hqcc check first.hqc                  what the network is and what it needs\n  \
        hqcc run first.hqc                    train it; results lie in runs/first-1\n  \
        hqcc run first.hqc -s train.epochs=5  the same with another setting\n  \
        hqcc resume runs/first-1              go on after an interruption\n\n\
        `hqcc help COMMAND` explains a command and its options."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Check(check::Check),
    Fmt(fmt::Fmt),
    Graph(graph::GraphCommand),
    Circuit(circuit::CircuitCommand),
    Run(run::RunCommand),
    Resume(resume::Resume),
    Eval(eval::Eval),
    Predict(predict::Predict),
    ImportWeights(import_weights::ImportWeights),
    Export(export::Export),
    Build(build::Build),
    Devices(devices::Devices),
    Phantom(phantom::Phantom),
    Bench(bench::Bench),
    Ops(ops::Ops),
    Explain(explain::Explain),
    Completions(completions::Completions),
}

impl Command {
    /// How the command writes its messages.
    fn message_format(&self) -> MessageFormat {
        let messages = match self {
            Command::Check(command) => &command.messages,
            Command::Run(command) => &command.messages,
            Command::Resume(command) => &command.messages,
            Command::Eval(command) => &command.messages,
            Command::Predict(command) => &command.messages,
            Command::ImportWeights(command) => &command.messages,
            Command::Export(command) => &command.messages,
            _ => return MessageFormat::Human,
        };
        messages.message_format
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    report_full_files();
    let cli = Cli::parse();
    let format = cli.command.message_format();
    if let Err(failure) = start_threads() {
        return failure.report(format);
    }
    let done = match cli.command {
        Command::New(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Fmt(command) => command.run(),
        Command::Graph(command) => command.run(),
        Command::Circuit(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Predict(command) => command.run(),
        Command::ImportWeights(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Phantom(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Ops(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(format),
    }
}

/// Starts the threads of the process, and says so where there are fewer than there should be.
fn start_threads() -> Result<(), Failure> {
    let started = crate::threads::start()?;
    if started.running < started.wanted {
        // Standard error may be closed; the work goes on all the same.
        let _ = writeln!(
            std::io::stderr(),
            "note: {} of {} threads, since the system grants no more",
            started.running,
            started.wanted
        );
    }
    Ok(())
}

/// Lets a file that grows beyond `ulimit -f` be an error with the file's name, instead of a signal that ends the process.
fn report_full_files() {
    #[cfg(unix)]
    // SAFETY: SIG_IGN is a valid disposition, and no handler of ours is replaced.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// The command line as data, for completions and for tests of the help texts.
fn definition() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}
