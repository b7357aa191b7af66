//! What a run says while it runs: a bar with the time left on a terminal, a line per epoch elsewhere, or JSON.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::metrics::Measured;
use crate::report::table::duration;

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum MessageFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line on standard output, each with a `reason`.
    Json,
}

/// The results of one epoch, as they are shown.
#[derive(Clone, Debug)]
pub struct EpochSummary {
    /// Epoch, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Mean training loss.
    pub loss: f64,
    /// Mean test loss.
    pub test_loss: f64,
    /// The measures on the test split.
    pub measures: Measured,
    /// Seconds that training and evaluation took.
    pub seconds: f64,
    /// Training samples a second.
    pub samples_per_second: f64,
    /// Whether it is the best epoch so far.
    pub best: bool,
}

/// Writes the messages of one run.
pub struct Reporter {
    /// `None`: nobody listens.
    format: Option<MessageFormat>,
    bar: ProgressBar,
}

impl Reporter {
    /// A reporter of a command; nothing is printed yet.
    pub fn new(format: MessageFormat) -> Self {
        Reporter {
            format: Some(format),
            bar: ProgressBar::hidden(),
        }
    }

    /// A reporter that prints nothing.
    pub fn silent() -> Self {
        Reporter {
            format: None,
            bar: ProgressBar::hidden(),
        }
    }

    /// Prints one fact: a line for people, an object for programs.
    pub fn fact(&self, reason: &str, line: &str, value: Value) {
        match self.format {
            Some(MessageFormat::Human) => self.line(line),
            Some(MessageFormat::Json) => self.json(reason, value),
            None => {}
        }
    }

    /// Prints a line for people; programs do not see it.
    pub fn remark(&self, line: &str) {
        if self.format == Some(MessageFormat::Human) {
            self.line(line);
        }
    }

    fn line(&self, line: &str) {
        self.bar.suspend(|| write_line(line));
    }

    fn json(&self, reason: &str, value: Value) {
        let mut object = json!({ "reason": reason });
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, value) {
            object.extend(fields);
        }
        write_line(&object.to_string());
    }

    /// Shows a bar over `total` steps of which `done` are done. `done` steps are not counted in the time left.
    pub fn start_bar(&mut self, done: u64, total: u64) {
        if self.format != Some(MessageFormat::Human) || !io::stderr().is_terminal() {
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

    /// One step is done.
    pub fn step(&self, epoch: u64, step: u64, loss: Option<f64>) {
        match (self.format, loss) {
            (Some(MessageFormat::Json), Some(loss)) => {
                self.json(
                    "step",
                    json!({ "epoch": epoch, "step": step, "loss": loss }),
                );
            }
            (Some(MessageFormat::Human), Some(loss)) => {
                self.bar
                    .set_message(format!("epoch {epoch}  loss {loss:.4}"));
                self.bar.set_position(step);
            }
            _ => self.bar.set_position(step),
        }
    }

    /// One epoch is done.
    pub fn epoch(&self, e: &EpochSummary) {
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

    /// Takes the bar away.
    pub fn end_bar(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}

/// A closed pipe ends no training: a run that nobody watches any more still counts.
fn write_line(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// A stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts one.
    pub fn start() -> Self {
        Clock(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
