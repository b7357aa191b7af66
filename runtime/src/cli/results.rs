//! What `run` and `resume` show at the end.

use hqcc_compiler::measures::Measure;
use serde_json::json;

use super::Failure;
use super::reporter::Reporter;
use crate::error::Error;
use crate::report::table::{Align, Table, grouped};
use crate::train::checkpoint;
use crate::train::folder::RunFolder;
use crate::train::interrupt;
use crate::train::log::{self, Record};
use crate::train::progress::Event;
use crate::train::run_loop::Ending;
use crate::train::session::Trained;

/// Tells of an event of training, and lets a signal know what it interrupts.
pub fn tell(reporter: &mut Reporter, event: Event<'_>) {
    match event {
        Event::Training { .. } => interrupt::enter(interrupt::Phase::Training),
        Event::Trained => interrupt::enter(interrupt::Phase::Finishing),
        _ => {}
    }
    reporter.event(event);
}

/// Shows how training ended.
///
/// # Errors
/// It stopped short.
pub fn show(trained: Result<Trained, Error>, reporter: &Reporter) -> Result<(), Failure> {
    let trained = match trained {
        Err(Error::Diverged(why)) => {
            let mut message = why.to_string();
            // Without a good checkpoint, the values that training began with are to blame.
            if why.good.is_ok() {
                message += "\n  a smaller learning rate, or other data, may help: `hqcc run ... -s train.optim='adam(lr = 1e-4)'`";
            }
            return Err(Failure::new(message));
        }
        trained => trained?,
    };
    if trained.ending == Ending::Interrupted {
        let (step, path) = (trained.step, trained.folder.path());
        let line = format!(
            "stopped after step {step}; `hqcc resume {}` goes on from there",
            path.display()
        );
        reporter.fact("interrupted", &line, json!({ "step": step, "run": path }));
        return Err(Failure::Interrupted);
    }
    let Trained {
        folder,
        test_samples,
        measures,
        ..
    } = &trained;
    show_results(folder, *test_samples, measures, reporter)
}

/// Prints the table of a finished run and the path of the run.
fn show_results(
    folder: &RunFolder,
    samples: usize,
    measures: &[&'static Measure],
    reporter: &Reporter,
) -> Result<(), Failure> {
    let records = log::read(folder.path())?;
    let (_, position) = checkpoint::load(&folder.last())?;
    let best = position.best.as_ref().map(|best| best.epoch);
    let last = records.iter().rev().find_map(epoch_of);
    let titles = ["epoch", "training loss", "test loss"].into_iter();
    let titles = titles.chain(measures.iter().map(|measure| measure.title));
    let titles = titles.map(|title| (title, Align::Right));
    let mut table = Table::new([("", Align::Left)].into_iter().chain(titles));
    let mut rows = Vec::new();
    for (name, wanted) in [("best", best), ("last", last)] {
        let Some(record) = records
            .iter()
            .find(|record| wanted.is_some() && epoch_of(record) == wanted)
        else {
            continue;
        };
        if let Record::Epoch {
            epoch,
            loss,
            test_loss,
            measures: results,
            ..
        } = record
        {
            let losses = [
                name.to_owned(),
                epoch.to_string(),
                format!("{loss:.4}"),
                format!("{test_loss:.4}"),
            ];
            let results = measures.iter().map(|measure| match results.get(measure) {
                Some(spread) => spread.to_string(),
                None => "-".to_owned(),
            });
            table.row(losses.into_iter().chain(results));
            rows.push((name, serde_json::to_value(record)?));
        }
    }
    let at = folder.path().display();
    let samples = grouped(samples as u64);
    let text = format!(
        "\nresults on {samples} test samples (mean ± standard deviation)\n\n{table}\nrun: {at}"
    );
    let rows: serde_json::Map<_, _> = rows
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    reporter.fact(
        "finished",
        &text,
        json!({ "run": folder.path(), "results": rows }),
    );
    Ok(())
}

fn epoch_of(record: &Record) -> Option<u64> {
    if let Record::Epoch { epoch, .. } = record {
        Some(*epoch)
    } else {
        None
    }
}
