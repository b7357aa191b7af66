//! DSC and IoU against an independent implementation (`golden/metrics.json`: numpy counts; its `about` says how).

use hqcc::data::SampleOrigin;
use hqcc::train::metrics::{JudgedSample, Scores};
use hqcc_compiler::measures;
use hqcc_compiler::measures::{Counts, Masks, Measure};
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

fn named(name: &str) -> &'static Measure {
    measures::named(name).unwrap_or_else(|| panic!("there is no measure {name}"))
}

#[test]
fn each_row_has_its_counts_and_ratios() {
    let (dsc, iou) = (named("dsc"), named("iou"));
    for row in golden().rows {
        let (predicted, truth) = (mask(&row.pred), mask(&row.gt));
        let masks = Masks {
            predicted: &predicted,
            truth: &truth,
            shape: [1, 1, truth.len()],
            spacing: [1.0; 3],
        };
        let counts = masks.counts();
        assert_eq!(
            (counts.both, counts.predicted + counts.truth),
            (row.intersection, row.sum),
            "{}",
            row.name
        );
        assert!((dsc.value(&masks) - row.dice).abs() < 1e-15, "{}", row.name);
        assert!((iou.value(&masks) - row.iou).abs() < 1e-15, "{}", row.name);
    }
}

#[test]
fn the_rows_of_two_dimensions_have_their_mean_and_spread() {
    let golden = golden();
    let dsc = named("dsc");
    let mut scores = Scores::new(&[dsc, named("iou")]);
    for row in golden.rows.iter().filter(|r| r.name.starts_with("2d")) {
        let sample = JudgedSample {
            counts: Counts::of(mask(&row.pred), mask(&row.gt)),
            masks: None,
        };
        let source = SampleOrigin {
            case: 0,
            size: [1, row.gt.iter().sum()],
            spacing: [1.0; 3],
        };
        scores.add(&sample, &source);
    }
    assert_eq!(scores.samples(), golden.aggregate.n);
    let spread = scores.finish().get(dsc).expect("it was asked for");
    assert!((spread.mean - golden.aggregate.dice_mean).abs() < 1e-14);
    assert!((spread.sd - golden.aggregate.dice_sd).abs() < 1e-14);
}
