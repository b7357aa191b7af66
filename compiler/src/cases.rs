//! Case numbers of a split.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Case numbers: half-open ranges in the order in which they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cases(pub Vec<Range<u32>>);

impl Cases {
    /// One more than the largest case number: a folder's name has five digits.
    pub const END: u32 = 100_000;

    /// The case numbers in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// How many cases these are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|range| range.len()).sum()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cases that are in both, ascending, as ranges.
    #[must_use]
    pub fn shared(&self, other: &Cases) -> Cases {
        let (ours, theirs) = (self.joined(), other.joined());
        let pairs = ours.iter().flat_map(|a| theirs.iter().map(move |b| (a, b)));
        let common = pairs.map(|(a, b)| a.start.max(b.start)..a.end.min(b.end));
        Cases(common.filter(|range| !range.is_empty()).collect())
    }

    /// The same cases as ascending ranges that do not touch.
    fn joined(&self) -> Vec<Range<u32>> {
        let mut sorted: Vec<_> = self.0.iter().filter(|range| !range.is_empty()).collect();
        sorted.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u32>> = Vec::new();
        for range in sorted {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range.clone()),
            }
        }
        joined
    }
}

impl From<Range<u32>> for Cases {
    fn from(range: Range<u32>) -> Cases {
        Cases(vec![range])
    }
}

/// As the language writes them: `0..180`, or `[0..150, 160..180]`.
impl fmt::Display for Cases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |range: &Range<u32>| format!("{}..{}", range.start, range.end);
        let texts: Vec<_> = self.0.iter().map(text).collect();
        match texts.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_and_written_as_in_the_language() {
        let cases = Cases(vec![0..2, 5..6]);
        assert_eq!(cases.len(), 3);
        assert_eq!(cases.iter().collect::<Vec<_>>(), [0, 1, 5]);
        assert_eq!(cases.to_string(), "[0..2, 5..6]");
        assert_eq!(Cases::from(0..180).to_string(), "0..180");
        assert!(Cases::from(3..3).is_empty());
    }

    #[test]
    fn shared_cases_are_those_that_both_name() {
        let cases = |pairs: &[(u32, u32)]| {
            let ranges = pairs.iter().map(|(from, to)| *from..*to);
            Cases(ranges.collect())
        };
        let shared = |a, b| cases(a).shared(&cases(b)).to_string();
        assert_eq!(shared(&[(0, 4)], &[(2, 5)]), "2..4");
        assert_eq!(shared(&[(3, 5), (0, 4)], &[(2, 9)]), "2..5");
        assert_eq!(shared(&[(0, 2), (6, 8)], &[(1, 7)]), "[1..2, 6..7]");
        assert_eq!(shared(&[(0, 4)], &[(4, 5)]), "[]");
        assert_eq!(shared(&[(0, 4)], &[(2, 2)]), "[]");
    }
}
