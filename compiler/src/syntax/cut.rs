//! Cuts a file into top-level items before any of them is parsed, so that a broken item hides no
//! other; finds the comments and checks that brackets pair, so that the parser sees balanced text
//! of a bounded depth.

use std::ops::Range;

use super::ast::Comment;
use super::span::{FileId, Span};
use crate::diagnostic::Diagnostic;

/// How deep brackets may nest. The parser's stack grows with it.
pub const MAX_NESTING: usize = 48;

/// How long a source text may be, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;

/// How long a name may be, in bytes.
const MAX_WORD: usize = 100;

/// How long a string may be, in bytes.
const MAX_STRING: usize = 4096;

/// The words that begin a top-level item.
pub const ITEM_WORDS: [&str; 11] = [
    "import", "let", "block", "circuit", "model", "rewrite", "names", "data", "train", "predict",
    "sweep",
];

/// What [`cut`] finds.
#[derive(Debug, Default)]
pub struct Cut {
    /// Byte ranges whose brackets pair, to be parsed one by one.
    pub items: Vec<Range<usize>>,
    /// All comments.
    pub comments: Vec<Comment>,
    /// Brackets that do not pair, open strings, and the like.
    pub errors: Vec<Diagnostic>,
}

/// Cuts `text` into items.
pub fn cut(file: FileId, text: &str) -> Cut {
    if text.len() > MAX_SOURCE {
        let message = format!(
            "this file has {} bytes; {MAX_SOURCE} are allowed",
            text.len()
        );
        let error = Diagnostic::error("limit::source", message).at(Span::new(file, 0, 0), "");
        return Cut {
            errors: vec![error],
            ..Cut::default()
        };
    }
    let mut cutter = Cutter {
        file,
        text,
        at: 0,
        start: 0,
        broken: false,
        line_start: true,
        open: Vec::new(),
        found: Cut::default(),
    };
    cutter.run();
    cutter.found
}

struct Cutter<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    /// Where the current item began.
    start: usize,
    /// Whether the current item has an error already and is not worth parsing.
    broken: bool,
    /// Whether only blanks precede `at` on its line.
    line_start: bool,
    open: Vec<(char, usize)>,
    found: Cut,
}

impl Cutter<'_> {
    fn run(&mut self) {
        while let Some(c) = self.text[self.at..].chars().next() {
            match c {
                '\n' => {
                    self.line_start = true;
                    self.at += 1;
                    continue;
                }
                ' ' | '\t' | '\r' => {
                    self.at += 1;
                    continue;
                }
                '#' => self.comment(),
                '"' => self.string(),
                '(' | '[' | '{' => self.opening(c),
                ')' | ']' | '}' => self.closing(c),
                'a'..='z' | 'A'..='Z' | '_' | '0'..='9' => self.word(),
                _ => self.at += c.len_utf8(),
            }
            self.line_start = false;
        }
        self.end_item(self.text.len());
    }

    fn fail(&mut self, error: Diagnostic) {
        self.broken = true;
        self.found.errors.push(error);
    }

    fn comment(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find('\n').unwrap_or(rest.len());
        let whole = rest[..length].trim_end();
        self.found.comments.push(Comment {
            text: whole[1..].to_owned(),
            span: Span::new(self.file, self.at, self.at + whole.len()),
        });
        self.at += length;
    }

    fn string(&mut self) {
        let start = self.at;
        let mut escaped = false;
        for (offset, c) in self.text[start + 1..].char_indices() {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at = start + 1 + offset + 1;
                    return self.check_length(start, MAX_STRING, "string");
                }
                _ => {}
            }
        }
        let rest = &self.text[start..];
        self.at = start + rest.find('\n').unwrap_or(rest.len());
        let span = Span::new(self.file, start, start + 1);
        self.fail(
            Diagnostic::error("syntax::string", "this string has no end")
                .at(span, "it begins here")
                .help("close it with `\"` on the same line; a line end in a string is `\\n`"),
        );
    }

    fn opening(&mut self, c: char) {
        if self.open.len() == MAX_NESTING && !self.broken {
            let span = Span::new(self.file, self.at, self.at + 1);
            self.fail(
                Diagnostic::error(
                    "limit::nesting",
                    format!("brackets nest deeper than {MAX_NESTING}"),
                )
                .at(span, "this is one too many")
                .help("give the inner part a name of its own"),
            );
        }
        self.open.push((c, self.at));
        self.at += 1;
    }

    fn closing(&mut self, c: char) {
        let span = Span::new(self.file, self.at, self.at + 1);
        self.at += 1;
        match self.open.pop() {
            Some((open, _)) if partner(open) == c => {}
            Some((open, opened)) => {
                // The bracket outside may be the one meant: then only the inner one lacks its end.
                if self
                    .open
                    .last()
                    .is_some_and(|(next, _)| partner(*next) == c)
                {
                    self.open.pop();
                }
                if !self.broken {
                    let opened = Span::new(self.file, opened, opened + 1);
                    self.fail(
                        Diagnostic::error(
                            "syntax::bracket",
                            format!("`{c}` does not close `{open}`"),
                        )
                        .at(span, format!("`{}` is missing before this", partner(open)))
                        .see(opened, format!("`{open}` is open since here")),
                    );
                }
            }
            None => {
                if !self.broken {
                    self.fail(
                        Diagnostic::error("syntax::bracket", format!("`{c}` closes nothing"))
                            .at(span, "no bracket is open here"),
                    );
                }
            }
        }
    }

    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        if self.line_start && ITEM_WORDS.contains(&word) && self.begins_item(&rest[length..]) {
            self.end_item(self.at);
        }
        self.at += length;
        self.check_length(self.at - length, MAX_WORD, "name");
    }

    fn check_length(&mut self, start: usize, most: usize, what: &str) {
        let length = self.at - start;
        if length > most && !self.broken {
            let message = format!("this {what} has {length} bytes; {most} are allowed");
            let span = Span::new(self.file, start, start + most);
            self.fail(Diagnostic::error("limit::length", message).at(span, ""));
        }
    }

    /// Whether an item word begins an item, given what follows it: inside brackets only a name, a
    /// string or a brace tells it from a setting (`train = 0..180`) or a rule (`data.conv => ...`).
    fn begins_item(&self, after: &str) -> bool {
        let next = after.trim_start().chars().next();
        let item = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '"' | '{');
        self.open.is_empty() || next.is_some_and(item)
    }

    fn end_item(&mut self, end: usize) {
        if let Some((bracket, opened)) = self.open.first().copied()
            && !self.broken
        {
            let span = Span::new(self.file, opened, opened + 1);
            let before = match end == self.text.len() {
                true => "the end of the file",
                false => "the next item",
            };
            let mut error =
                Diagnostic::error("syntax::bracket", format!("`{bracket}` is never closed"))
                    .at(span, format!("no `{}` before {before}", partner(bracket)));
            if let Some((inner, at)) = self.open.last().copied()
                && at != opened
            {
                let at = Span::new(self.file, at, at + 1);
                error = error.see(at, format!("`{inner}` is open as well"));
            }
            self.fail(error);
        }
        if !self.broken && self.start < end {
            self.found.items.push(self.start..end);
        }
        self.open.clear();
        self.broken = false;
        self.start = end;
    }
}

fn partner(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<&str> {
        let found = cut(FileId(0), text);
        let ranges = found.items.into_iter();
        ranges.map(|range| text[range].trim()).collect()
    }

    #[test]
    fn settings_named_like_items_stay_inside() {
        let text = "data k = kits19 {\n  train = 0..180\n}\ntrain {\n  data = k\n  model = M()\n}";
        assert_eq!(items(text).len(), 2);
    }

    #[test]
    fn an_open_brace_ends_at_the_next_item() {
        let text = "model A {\n  x = (1\n\nmodel B {}\nlet c = 3";
        assert_eq!(items(text), ["model B {}", "let c = 3"]);
        assert_eq!(cut(FileId(0), text).errors.len(), 1);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text = "let a = \"{\" # (\nlet b = \"\\\"[\"";
        assert_eq!(items(text).len(), 2);
        assert!(cut(FileId(0), text).errors.is_empty());
    }
}
