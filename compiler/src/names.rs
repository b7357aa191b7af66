//! Names of tensors in foreign files: rules that map them to paths here, and back.
//!
//! A name is a list of segments. `.`, `/` and an index in brackets all end one, so that `layer1.0.conv1`,
//! `layer1/0/conv1` and `layer1[0].conv1` are the same name: its [`key`] is `layer1.0.conv1`. In a pattern `*` stands for
//! one or more characters of a segment and `**` for one or more whole segments; what they stand for on one side of a rule
//! is put in, in order, on the other. A rule maps a name and all names below it, the first rule that fits decides, and a name that no rule
//! fits maps to itself.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How long a pattern may be. Units: bytes.
pub const MAX_PATTERN: usize = 400;

/// The form of a name in which both sides are compared: segments with dots between them.
pub fn key(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '/' => text.push('.'),
            '[' if text.is_empty() => {}
            '[' => text.push('.'),
            ']' => {}
            c => text.push(c),
        }
    }
    text
}

/// The form of values in a foreign file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileLayout {
    /// As here: weights are `[O, I, KH, KW]` and `[O, I]`, and their name is `weight`.
    #[default]
    Torch,
    /// As JAX libraries write them: `kernel` is `[KH, KW, I, O]` or `[I, O]`, where either axis of the latter may be
    /// split into several, `scale` is the weight of a normalisation, and vectors may have further axes.
    Flax,
}

/// What is done to the values of one tensor beyond the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// `positions(skip = n)`: a table of positions `[1, T, C]` without its first `skip` tokens, its square grid resized to the network's
    /// by linear interpolation with aligned corners.
    Positions {
        /// Tokens without a position in the image, such as a class token.
        skip: usize,
    },
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A segment holds no character.
    #[error("a part of this name is empty")]
    Empty,
    /// It is too long.
    #[error("a name may have at most {MAX_PATTERN} bytes")]
    Long,
    /// `**` within a segment, or `***`.
    #[error("`**` stands for whole parts of a name")]
    Deep,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Token {
    Text(String),
    /// `*`
    One,
    /// `**`
    Deep,
}

/// A name with `*` and `**` in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern(Vec<Token>);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// An empty segment, `**` beside other characters of a segment, or too many bytes.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > MAX_PATTERN {
            return Err(PatternError::Long);
        }
        let text = key(text);
        let mut tokens = Vec::new();
        for (index, segment) in text.split('.').enumerate() {
            if index > 0 {
                push_text(&mut tokens, ".");
            }
            match segment {
                "" => return Err(PatternError::Empty),
                "**" => tokens.push(Token::Deep),
                segment if segment.contains("**") => return Err(PatternError::Deep),
                segment => {
                    for (index, text) in segment.split('*').enumerate() {
                        if index > 0 {
                            tokens.push(Token::One);
                        }
                        push_text(&mut tokens, text);
                    }
                }
            }
        }
        Ok(Pattern(tokens))
    }

    /// The kinds of its captures in order, as they are written.
    pub fn captures(&self) -> Vec<&'static str> {
        let kinds = self.0.iter().filter_map(|token| match token {
            Token::Text(_) => None,
            Token::One => Some("*"),
            Token::Deep => Some("**"),
        });
        kinds.collect()
    }

    /// What the captures stand for if the pattern fits `name`, a key, or one above it; and where the rest begins.
    fn fit(&self, name: &str) -> Option<(Vec<Range<usize>>, usize)> {
        let mut search = Search {
            tokens: &self.0,
            name: name.as_bytes(),
            failed: vec![false; (self.0.len() + 1) * (name.len() + 1)],
            found: Vec::new(),
        };
        let end = search.from(0, 0)?;
        Some((search.found, end))
    }

    /// The name with these texts in place of the captures.
    fn fill(&self, captures: &[&str]) -> String {
        let mut captures = captures.iter();
        let mut text = String::new();
        for token in &self.0 {
            match token {
                Token::Text(part) => text.push_str(part),
                _ => text.push_str(captures.next().copied().unwrap_or("")),
            }
        }
        text
    }
}

fn push_text(tokens: &mut Vec<Token>, text: &str) {
    match tokens.last_mut() {
        Some(Token::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => tokens.push(Token::Text(text.to_owned())),
    }
}

/// A search for the shortest captures, first to last; states that failed are tried once.
struct Search<'a> {
    tokens: &'a [Token],
    name: &'a [u8],
    failed: Vec<bool>,
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    fn from(&mut self, token: usize, at: usize) -> Option<usize> {
        let ends = |at: usize| self.name.get(at).is_none_or(|byte| *byte == b'.');
        let state = token * (self.name.len() + 1) + at;
        if self.failed[state] {
            return None;
        }
        let end = match self.tokens.get(token) {
            None => ends(at).then_some(at),
            Some(Token::Text(text)) => {
                let fits = self.name[at..].starts_with(text.as_bytes());
                fits.then(|| self.from(token + 1, at + text.len()))
                    .flatten()
            }
            Some(kind) => {
                let deep = *kind == Token::Deep;
                let mut end = None;
                for stop in at + 1..=self.name.len() {
                    if !deep && self.name[stop - 1] == b'.' {
                        break;
                    }
                    if deep && self.name.get(stop).is_some_and(|byte| *byte != b'.') {
                        continue;
                    }
                    self.found.push(at..stop);
                    end = self.from(token + 1, stop);
                    if end.is_some() {
                        break;
                    }
                    self.found.pop();
                }
                end
            }
        };
        self.failed[state] = end.is_none();
        end
    }
}

/// A rule: `from => to as change`, or `from => none`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRule {
    /// The names of the file.
    pub from: Pattern,
    /// The paths here, with the same captures; none drops the tensors.
    pub to: Option<Pattern>,
    /// What is done to the values.
    pub change: Option<Change>,
}

/// Where a tensor of a file belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// The [`key`] of its path.
    pub key: String,
    /// What is done to its values.
    pub change: Option<Change>,
}

/// Why a path has no name in a foreign file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NamesError {
    /// No name maps to the path.
    #[error(
        "names `{names}`: nothing maps to `{path}`; give it a name by a rule before those that take it away"
    )]
    Unreachable {
        /// The list of rules.
        names: String,
        /// The path.
        path: String,
    },
    /// Several names map to the path.
    #[error("names `{names}`: both `{first}` and `{second}` map to `{path}`")]
    Ambiguous {
        /// The list of rules.
        names: String,
        /// The path.
        path: String,
        /// A name.
        first: String,
        /// Another one.
        second: String,
    },
    /// The values would have to be changed on the way out.
    #[error(
        "names `{names}`: `{path}` is stored in another form there, which can be read but not written"
    )]
    OneWay {
        /// The list of rules.
        names: String,
        /// The path.
        path: String,
    },
}

/// Rules between the names of a file and the paths here, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameMap {
    /// Name of the list.
    pub name: String,
    /// The form of values in the file.
    pub layout: FileLayout,
    /// The rules.
    pub rules: Vec<NameRule>,
}

impl NameMap {
    /// Where the tensor `foreign` of a file belongs; nowhere where a rule drops it.
    pub fn to_here(&self, foreign: &str) -> Option<Here> {
        let name = key(foreign);
        for rule in &self.rules {
            let Some((found, end)) = rule.from.fit(&name) else {
                continue;
            };
            let to = rule.to.as_ref()?;
            let captures: Vec<_> = found.into_iter().map(|range| &name[range]).collect();
            return Some(Here {
                key: to.fill(&captures) + &self.leaf(&name[end..]),
                change: rule.change,
            });
        }
        Some(Here {
            key: self.leaf(&name),
            change: None,
        })
    }

    /// What stands below a rule, in the words used here.
    fn leaf(&self, rest: &str) -> String {
        if self.layout == FileLayout::Flax {
            let (head, last) = rest.rsplit_once('.').unwrap_or(("", rest));
            if matches!(last, "kernel" | "scale") {
                let dot = if rest.contains('.') { "." } else { "" };
                return format!("{head}{dot}weight");
            }
        }
        rest.to_owned()
    }

    /// The name that `path` has in a file: the one name that [`NameMap::to_here`] maps to it.
    ///
    /// # Errors
    /// No name maps to it, several do, or the file holds its values in another form.
    pub fn to_foreign(&self, path: &str) -> Result<String, NamesError> {
        let wanted = key(path);
        let names = self.name.clone();
        let path = path.to_owned();
        if self.layout != FileLayout::Torch {
            return Err(NamesError::OneWay { names, path });
        }
        let mut found: Option<(String, bool)> = None;
        let mut meant = false;
        for rule in &self.rules {
            let Some(to) = &rule.to else { continue };
            let Some((captures, end)) = to.fit(&wanted) else {
                continue;
            };
            meant = true;
            let captures: Vec<_> = captures.into_iter().map(|range| &wanted[range]).collect();
            let name = rule.from.fill(&captures) + &wanted[end..];
            let back = self.to_here(&name);
            if back.is_none_or(|here| here.key != wanted) {
                continue;
            }
            match &found {
                Some((first, _)) if *first != name => {
                    let first = first.clone();
                    return Err(NamesError::Ambiguous {
                        names,
                        path,
                        first,
                        second: name,
                    });
                }
                Some(_) => {}
                None => found = Some((name, rule.change.is_some())),
            }
        }
        match found {
            Some((_, true)) => Err(NamesError::OneWay { names, path }),
            Some((name, false)) => Ok(name),
            None if !meant && self.to_here(&wanted).is_some_and(|here| here.key == wanted) => {
                Ok(wanted)
            }
            None => Err(NamesError::Unreachable { names, path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rules: &[(&str, &str)]) -> NameMap {
        let rule = |(from, to): &(&str, &str)| NameRule {
            from: Pattern::new(from).unwrap(),
            to: (*to != "none").then(|| Pattern::new(to).unwrap()),
            change: None,
        };
        NameMap {
            name: "Test".into(),
            rules: rules.iter().map(rule).collect(),
            ..NameMap::default()
        }
    }

    fn here(map: &NameMap, foreign: &str) -> String {
        map.to_here(foreign)
            .map_or("none".to_owned(), |here| here.key)
    }

    #[test]
    fn names_map_both_ways() {
        let map = map(&[
            ("features.0", "encoder.e[0].conv1"),
            ("layer*.*.conv*", "resnet.layer[*].unit[*].conv[*]"),
            ("classifier", "none"),
            ("up.**.kernel", "decoder.**.weight"),
        ]);
        for (foreign, path) in [
            ("features.0.weight", "encoder.e.0.conv1.weight"),
            ("features.0", "encoder.e.0.conv1"),
            ("features.01.weight", "features.01.weight"),
            ("layer1.0.conv12.bias", "resnet.layer.1.unit.0.conv.12.bias"),
            ("up.a.b.kernel", "decoder.a.b.weight"),
            ("up.kernel", "up.kernel"),
            ("free.3.x", "free.3.x"),
        ] {
            assert_eq!(here(&map, foreign), path);
            assert_eq!(map.to_foreign(path).as_deref(), Ok(foreign));
        }
        assert_eq!(here(&map, "classifier.0.weight"), "none");
        assert_eq!(here(&map, "classifier2.weight"), "classifier2.weight");
        assert_eq!(
            map.to_foreign("resnet.layer[1].unit[0].conv[2].bias")
                .unwrap(),
            "layer1.0.conv2.bias"
        );
        assert_eq!(here(&map, "a/b[3]/c"), "a.b.3.c");
    }

    #[test]
    fn the_first_rule_decides() {
        let map = map(&[("a.b", "x"), ("a", "y"), ("a.c", "z")]);
        assert_eq!(here(&map, "a.b.w"), "x.w");
        assert_eq!(here(&map, "a.c.w"), "y.c.w");
        assert_eq!(map.to_foreign("y.b.w"), unreachable("y.b.w"));
        assert_eq!(map.to_foreign("a.q.w"), unreachable("a.q.w"));
        // `a.c => z` never decides.
        assert_eq!(map.to_foreign("z.w"), unreachable("z.w"));
        assert_eq!(map.to_foreign("x.w").as_deref(), Ok("a.b.w"));
    }

    fn unreachable(path: &str) -> Result<String, NamesError> {
        Err(NamesError::Unreachable {
            names: "Test".into(),
            path: path.into(),
        })
    }

    #[test]
    fn two_names_for_one_path_cannot_be_written() {
        let map = map(&[("a", "x"), ("b", "x")]);
        assert_eq!(here(&map, "b.w"), here(&map, "a.w"));
        let error = map.to_foreign("x.w").unwrap_err().to_string();
        assert!(error.contains("`a.w` and `b.w`"), "{error}");
    }

    #[test]
    fn flax_leaves_take_the_words_used_here() {
        let mut map = map(&[("root", "stem"), ("pos/table", "positions.table")]);
        map.layout = FileLayout::Flax;
        assert_eq!(here(&map, "root/kernel"), "stem.weight");
        assert_eq!(here(&map, "norm/scale"), "norm.weight");
        assert_eq!(here(&map, "kernel"), "weight");
        assert_eq!(here(&map, "root/bias"), "stem.bias");
        assert_eq!(here(&map, "pos/table"), "positions.table");
        assert!(matches!(
            map.to_foreign("stem.weight"),
            Err(NamesError::OneWay { .. })
        ));
    }

    #[test]
    fn broken_patterns_are_refused() {
        assert_eq!(Pattern::new("a..b"), Err(PatternError::Empty));
        assert_eq!(Pattern::new(""), Err(PatternError::Empty));
        assert_eq!(Pattern::new("a**b"), Err(PatternError::Deep));
        assert_eq!(Pattern::new("***"), Err(PatternError::Deep));
        assert_eq!(Pattern::new(&"a".repeat(500)), Err(PatternError::Long));
    }

    #[test]
    fn many_captures_take_no_time() {
        let stars = "*a".repeat(100);
        let map = map(&[(&stars, &stars)]);
        let name = "a".repeat(5000) + "b";
        assert_eq!(here(&map, &name), name);
    }
}
