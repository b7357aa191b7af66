//! DSC and IoU against an independent implementation (`golden/metrics.json`: numpy counts; its `about` says how).

use hqcc::train::metrics::{Overlap, Scores};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    rows: Vec<Row>,
    aggregate: Aggregate,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    /// Run lengths of the flat mask, alternating from 0.
    gt: Vec<usize>,
    pred: Vec<usize>,
    intersection: u64,
    sum: u64,
    dice: f64,
    iou: f64,
}

#[derive(Deserialize)]
struct Aggregate {
    n: usize,
    dice_mean: f64,
    dice_sd: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/metrics.json"))
        .expect("golden/metrics.json holds what is read here")
}

fn mask(runs: &[usize]) -> Vec<bool> {
    runs.iter()
        .enumerate()
        .flat_map(|(i, &n)| std::iter::repeat_n(i % 2 == 1, n))
        .collect()
}

#[test]
fn each_row_has_its_counts_and_ratios() {
    for row in golden().rows {
        let counts = Overlap::of(mask(&row.pred), mask(&row.gt));
        assert_eq!(
            (counts.both, counts.predicted + counts.truth),
            (row.intersection, row.sum),
            "{}",
            row.name
        );
        assert!((counts.dsc() - row.dice).abs() < 1e-15, "{}", row.name);
        assert!((counts.iou() - row.iou).abs() < 1e-15, "{}", row.name);
    }
}

#[test]
fn the_rows_of_two_dimensions_have_their_mean_and_spread() {
    let golden = golden();
    let mut scores = Scores::default();
    for row in golden.rows.iter().filter(|r| r.name.starts_with("2d")) {
        scores.add(&Overlap::of(mask(&row.pred), mask(&row.gt)));
    }
    assert_eq!(scores.len(), golden.aggregate.n);
    assert!((scores.dsc().mean - golden.aggregate.dice_mean).abs() < 1e-14);
    assert!((scores.dsc().sd - golden.aggregate.dice_sd).abs() < 1e-14);
}
