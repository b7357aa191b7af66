//! Timings: medians over repeated runs on a named device, as a table and as JSON.

pub mod networks;
pub mod qpg;
pub mod steps;

use std::time::Instant;

use serde::Serialize;

use crate::report::table::{Align, Table, duration, si};

/// The time one case took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// What was timed.
    pub name: String,
    /// Median in seconds.
    pub median: f64,
    /// The shortest run in seconds.
    pub least: f64,
    /// The longest run in seconds.
    pub most: f64,
    /// Runs that were timed.
    pub runs: usize,
    /// Floating-point operations of one run, where they are known.
    pub flops: Option<u64>,
}

/// How long a case is timed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Runs before the clock starts: caches, pipelines and threads come up.
    pub warm_up: usize,
    /// Runs that are timed at most.
    pub runs: usize,
    /// No further run starts after so many seconds, once there are three.
    pub seconds: f64,
}

impl Default for Effort {
    fn default() -> Self {
        Effort {
            warm_up: 1,
            runs: 20,
            seconds: 10.0,
        }
    }
}

/// Times `run`, which does the work to its very end.
///
/// # Errors
/// The first one of `run`.
pub fn time<E>(
    name: impl Into<String>,
    effort: Effort,
    flops: Option<u64>,
    mut run: impl FnMut() -> Result<(), E>,
) -> Result<Timing, E> {
    for _ in 0..effort.warm_up {
        run()?;
    }
    let start = Instant::now();
    let mut seconds = Vec::with_capacity(effort.runs);
    while seconds.len() < effort.runs.max(1)
        && (seconds.len() < 3 || start.elapsed().as_secs_f64() < effort.seconds)
    {
        let clock = Instant::now();
        run()?;
        seconds.push(clock.elapsed().as_secs_f64());
    }
    Ok(summary(name.into(), seconds, flops))
}

fn summary(name: String, mut seconds: Vec<f64>, flops: Option<u64>) -> Timing {
    seconds.sort_by(f64::total_cmp);
    let n = seconds.len();
    let median = if n % 2 == 1 {
        seconds[n / 2]
    } else {
        (seconds[n / 2 - 1] + seconds[n / 2]) / 2.0
    };
    Timing {
        name,
        median,
        least: seconds[0],
        most: seconds[n - 1],
        runs: n,
        flops,
    }
}

/// The timings as a table.
pub fn table(timings: &[Timing]) -> Table {
    let numbers = ["median", "least", "most", "runs", "FLOP", "FLOP/s"];
    let columns = [("case", Align::Left)]
        .into_iter()
        .chain(numbers.map(|name| (name, Align::Right)));
    let mut table = Table::new(columns);
    for t in timings {
        let flops = t.flops.map_or(String::from("-"), |f| si(f as f64));
        let rate = t
            .flops
            .map_or(String::from("-"), |f| si(f as f64 / t.median));
        table.row([
            t.name.clone(),
            duration(t.median),
            duration(t.least),
            duration(t.most),
            t.runs.to_string(),
            flops,
            rate,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let t = summary("a".into(), vec![3.0, 1.0, 2.0], None);
        assert_eq!((t.median, t.least, t.most, t.runs), (2.0, 1.0, 3.0, 3));
        assert_eq!(
            summary("a".into(), vec![4.0, 1.0, 2.0, 3.0], None).median,
            2.5
        );
    }

    #[test]
    fn a_failing_case_is_an_error_and_a_slow_one_ends_early() {
        let effort = Effort {
            warm_up: 0,
            runs: 1000,
            seconds: 0.0,
        };
        assert_eq!(
            time("a", effort, Some(8), || Ok::<(), ()>(())).map(|t| t.runs),
            Ok(3)
        );
        assert_eq!(time("a", effort, None, || Err("no")), Err("no"));
    }
}
