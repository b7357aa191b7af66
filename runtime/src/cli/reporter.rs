//! What a command says while it works: a bar with the time left on a terminal, a line per epoch elsewhere, or JSON.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::args::Bar;
use super::messages::MessageFormat;
use crate::report::printable::printable;
use crate::report::table::{bytes, duration, grouped};
use crate::train::progress::{EpochSummary, Event};

/// Writes the messages of one command.
pub struct Reporter {
    format: MessageFormat,
    /// Steps of training.
    bar: ProgressBar,
    /// Cases that are read, or slices that are segmented.
    pieces: Option<Bar>,
}

impl Reporter {
    /// A reporter of a command; nothing is printed yet.
    pub fn new(format: MessageFormat) -> Self {
        Reporter {
            format,
            bar: ProgressBar::hidden(),
            pieces: None,
        }
    }

    /// Tells of an event.
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Reading { done, total } => self.pieces("reading data", done, total),
            Event::Slices { done, total } => self.pieces("segmenting", done, total),
            Event::Data { train, test } => {
                self.pieces = None;
                let (shown, tested) = (grouped(train as u64), grouped(test as u64));
                let line = format!("data: {shown} training and {tested} test samples");
                self.fact("data", &line, json!({ "train": train, "test": test }));
            }
            Event::Network {
                model,
                trained_parameters,
                state_bytes,
            } => {
                let (trained, state) = (grouped(trained_parameters), bytes(state_bytes));
                let line =
                    format!("network: {model}, {trained} trained parameters, state of {state}");
                let value = json!({ "model": model, "trained_parameters": trained_parameters, "state_bytes": state_bytes });
                self.fact("network", &line, value);
            }
            Event::Memory {
                bytes: all,
                state_bytes,
            } => {
                let (total, state) = (bytes(all), bytes(state_bytes));
                let line = format!(
                    "memory: {total} ({} bytes), of which parameters and optimiser {state}",
                    grouped(all)
                );
                let value = json!({ "bytes": all, "state_bytes": state_bytes });
                self.fact("memory", &line, value);
            }
            Event::Start(report) => {
                let value = json!({
                    "file": report.file, "blake3": report.blake3, "prefix": report.prefix, "counts": report.counts(),
                });
                self.fact("start", &format!("start: {report}"), value);
            }
            Event::Folder(path) => self.remark(&format!("run: {}", path.display())),
            Event::Resumed { epoch, batch, step } => self.remark(&format!(
                "going on after epoch {epoch}, batch {batch} (step {step})"
            )),
            Event::Training { done, total } => self.start_bar(done, total),
            Event::Step { epoch, step, loss } => self.step(epoch, step, loss),
            Event::Epoch(summary) => self.epoch(summary),
            Event::Trained => self.end_bar(),
        }
    }

    fn pieces(&mut self, what: &str, done: usize, total: usize) {
        let bar = self.pieces.get_or_insert_with(|| Bar::start(what));
        bar.set(done, total);
        if done == total {
            self.pieces = None;
        }
    }

    /// Prints one fact: a line for people, an object for programs.
    pub fn fact(&self, reason: &str, line: &str, value: Value) {
        match self.format {
            MessageFormat::Human => self.line(line),
            MessageFormat::Json => self.json(reason, value),
        }
    }

    /// Prints a line for people; programs do not see it.
    pub fn remark(&self, line: &str) {
        if self.format == MessageFormat::Human {
            self.line(line);
        }
    }

    fn line(&self, line: &str) {
        self.bar.suspend(|| write_line(&printable(line)));
    }

    fn json(&self, reason: &str, value: Value) {
        write_line(&object(reason, value).to_string());
    }

    /// Prints the result of a command: one fact that must not be lost.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(&self, reason: &str, line: &str, value: Value) -> io::Result<()> {
        let text = match self.format {
            MessageFormat::Human => printable(line).into_owned(),
            MessageFormat::Json => object(reason, value).to_string(),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Shows a bar over `total` steps of which `done` are done. `done` steps are not counted in the time left.
    fn start_bar(&mut self, done: u64, total: u64) {
        if self.format != MessageFormat::Human || !io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        let template = "{msg}  {wide_bar:.green} {pos}/{len}  {elapsed} gone, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_position(done);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        self.bar = bar;
    }

    fn step(&self, epoch: u64, step: u64, loss: f64) {
        match self.format {
            MessageFormat::Json => {
                self.json(
                    "step",
                    json!({ "epoch": epoch, "step": step, "loss": loss }),
                );
            }
            MessageFormat::Human => {
                self.bar
                    .set_message(format!("epoch {epoch}  loss {loss:.4}"));
                self.bar.set_position(step);
            }
        }
    }

    fn epoch(&self, e: &EpochSummary) {
        let width = e.epochs.to_string().len();
        let results = e.measures.0.iter();
        let results: String = results
            .map(|(measure, spread)| format!("  {} {spread}", measure.title))
            .collect();
        let line = format!(
            "epoch {:>width$}/{}  loss {:.4}  test loss {:.4}{results}  {}, {:.1} samples/s{}",
            e.epoch,
            e.epochs,
            e.loss,
            e.test_loss,
            duration(e.seconds),
            e.samples_per_second,
            if e.best { "  best" } else { "" },
        );
        let mut value = json!({
            "epoch": e.epoch, "epochs": e.epochs, "loss": e.loss, "test_loss": e.test_loss,
        });
        if let Some(value) = value.as_object_mut() {
            value.extend(e.measures.fields());
            value.insert("seconds".into(), e.seconds.into());
            value.insert("samples_per_second".into(), e.samples_per_second.into());
            value.insert("best".into(), e.best.into());
        }
        self.fact("epoch", &line, value);
    }

    fn end_bar(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}

/// The fields of a message, its reason first.
fn object(reason: &str, value: Value) -> Value {
    let mut object = json!({ "reason": reason });
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, value) {
        object.extend(fields);
    }
    object
}

/// A closed pipe ends no training: a run that nobody watches any more still counts.
fn write_line(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
