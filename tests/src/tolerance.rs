//! How near two results must be.

/// A bound on the difference of two results, relative to the largest value that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The same bits: values are moved or compared, not computed.
    Exact,
    /// A few roundings in single precision.
    Close,
    /// Long sums in single precision.
    Accumulated,
    /// The same formula in double precision.
    Double,
}

impl Tolerance {
    /// The bound as a factor on the largest value.
    pub fn bound(self) -> f64 {
        match self {
            Self::Exact => 0.0,
            Self::Close => 2e-6,
            Self::Accumulated => 2e-5,
            Self::Double => 1e-12,
        }
    }

    /// Where `got` and `want` are too far apart, in words; `None` when they agree.
    pub fn difference(self, got: &[f64], want: &[f64]) -> Option<String> {
        if got.len() != want.len() {
            return Some(format!("{} values instead of {}", got.len(), want.len()));
        }
        let largest = want.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
        let (at, error) = got
            .iter()
            .zip(want)
            .map(|(g, w)| {
                if g == w || (g.is_nan() && w.is_nan()) {
                    0.0
                } else {
                    (g - w).abs() / largest
                }
            })
            .enumerate()
            .fold((0, 0.0), |worst, (at, e)| {
                if e > worst.1 || e.is_nan() {
                    (at, e)
                } else {
                    worst
                }
            });
        (error.is_nan() || error > self.bound()).then(|| {
            format!(
                "element {at} is {} instead of {}: {error:.1e} of the largest value, {:.1e} allowed",
                got[at],
                want[at],
                self.bound()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_count_against_the_largest_value() {
        assert_eq!(
            Tolerance::Exact.difference(&[1.0, f64::NAN], &[1.0, f64::NAN]),
            None
        );
        assert!(
            Tolerance::Exact
                .difference(&[1.0], &[1.0 + 1e-15])
                .is_some()
        );
        assert_eq!(
            Tolerance::Close.difference(&[1000.0, 1e-4], &[1000.0, 0.0]),
            None
        );
        assert!(
            Tolerance::Close
                .difference(&[1.0, f64::NAN], &[1.0, 0.0])
                .is_some()
        );
        assert!(Tolerance::Close.difference(&[1.0], &[1.0, 1.0]).is_some());
    }
}
