//! `iou`: intersection over union, the Jaccard index (Jaccard 1912, doi 10.1111/j.1469-8137.1912.tb05611.x).

use super::measure::{Better, Counts, Measure, Per, Reads, ratio};

pub(super) const MEASURE: Measure = Measure {
    name: "iou",
    title: "IoU",
    doc: "intersection over union |P and T| / |P or T|; 1 where both masks are empty, 0 where one is",
    reads: Reads::Counts(iou),
    per: Per::Sample,
    better: Better::Higher,
    range: Some((0.0, 1.0)),
};

fn iou(counts: &Counts) -> f64 {
    ratio(counts.both, counts.predicted + counts.truth - counts.both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_masks_have_their_values() {
        assert_eq!(iou(&Counts::of([false; 4], [false; 4])), 1.0);
        assert_eq!(iou(&Counts::of([false, true], [false, false])), 0.0);
    }
}
