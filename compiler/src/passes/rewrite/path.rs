//! Path patterns: `*` stands for any text within one segment, `**` for any number of segments.

/// Whether a pattern matches a whole path.
pub fn matches(pattern: &str, path: &str) -> bool {
    let split = |text| str::split(text, '.').collect::<Vec<_>>();
    let segment = |pattern: &&str, text: &&str| {
        wildcard(pattern.as_bytes(), text.as_bytes(), b'*', |a, b| a == b)
    };
    wildcard(&split(pattern), &split(path), "**", segment)
}

/// Matches with a wildcard that stands for any number of items. Going back to the last wildcard
/// alone is enough, so the work is at most the product of the lengths.
fn wildcard<T: PartialEq>(
    pattern: &[T],
    text: &[T],
    any: T,
    matches: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back = None;
    while t < text.len() {
        if pattern.get(p) == Some(&any) {
            back = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|item| matches(item, &text[t])) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after, from)) = back {
            (p, t) = (after, from + 1);
            back = Some((after, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|item| *item == any)
}

/// Whether a pattern matches a path or anything above it.
pub fn matches_above(pattern: &str, path: &str) -> bool {
    path.match_indices('.')
        .map(|(at, _)| &path[..at])
        .chain([path])
        .any(|upper| matches(pattern, upper))
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_above};

    #[test]
    fn patterns_match_whole_segments() {
        assert!(matches("encoder.**", "encoder.conv1.a"));
        assert!(matches("e[*].conv1", "e[12].conv1"));
        assert!(!matches("e[*].conv1", "e[12].conv1.weight"));
        assert!(!matches("encoder.*", "encoder.a.b"));
        assert!(matches("**", "a"));
        assert!(matches("**.conv1", "conv1"));
        assert!(matches("**.b.**.d", "a.b.c.b.d"));
        assert!(matches("a*b*c", "a1b2b3c"));
        assert!(!matches("a*b*c", "a1b2b3"));
        let hostile = "*a".repeat(60) + "b";
        assert!(!matches(&hostile, &"a".repeat(200)));
    }

    #[test]
    fn a_pattern_reaches_what_lies_below() {
        assert!(matches_above("encoder", "encoder.conv1.weight"));
        assert!(!matches_above("encoder.conv", "encoder.conv1.weight"));
    }
}
