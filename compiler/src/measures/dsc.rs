//! `dsc`: the Dice similarity coefficient (Dice 1945, doi 10.2307/1932409).

use super::measure::{Better, Counts, Measure, Per, Reads, ratio};

pub(super) const MEASURE: Measure = Measure {
    name: "dsc",
    title: "DSC",
    doc: "Dice similarity coefficient 2 |P and T| / (|P| + |T|); 1 where both masks are empty, 0 where one is",
    reads: Reads::Counts(dsc),
    per: Per::Sample,
    better: Better::Higher,
    range: Some((0.0, 1.0)),
};

fn dsc(counts: &Counts) -> f64 {
    ratio(2 * counts.both, counts.predicted + counts.truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_masks_have_their_values() {
        assert_eq!(dsc(&Counts::of([false; 4], [false; 4])), 1.0);
        assert_eq!(dsc(&Counts::of([false, true], [false, false])), 0.0);
    }
}
