//! Places in the source, the texts they point into, and where texts come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A source text in [`Sources`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct FileId(pub u32);

/// A range of bytes of one source text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        Span {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The shortest span that holds both; `self` where the files differ.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// Gives the compiler the texts of files and the environment; it reads nothing else.
pub trait World: Sync {
    /// The text of a file, named as the importing file's folder and the `import` make it.
    ///
    /// # Errors
    /// One lower-case sentence saying why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;

    /// The value of an environment variable, for `env("NAME")`.
    fn env(&self, _name: &str) -> Option<String> {
        None
    }
}

/// A world of named texts in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryWorld {
    /// Texts by path.
    pub files: BTreeMap<String, String>,
    /// Environment variables by name.
    pub variables: BTreeMap<String, String>,
}

impl World for MemoryWorld {
    fn read(&self, path: &str) -> Result<String, String> {
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| "there is no such file".to_owned())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// The names of the built-in files.
pub fn standard_files() -> impl Iterator<Item = &'static str> {
    hqcc_models::STANDARD.iter().map(|(name, _)| *name)
}

/// The text of a built-in file.
pub fn standard(path: &str) -> Option<&'static str> {
    let found = hqcc_models::STANDARD.iter().find(|(name, _)| *name == path);
    found.map(|(_, text)| *text)
}

/// The path of an imported file as the importing file's place makes it.
pub fn resolve_import(importer: &str, path: &str) -> String {
    if standard(path).is_some() || path.starts_with('/') {
        return path.to_owned();
    }
    let folder = importer.rfind(['/', '\\']).map_or("", |at| &importer[..at]);
    let rooted = folder.is_empty() && importer.starts_with('/');
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if rooted || folder.starts_with('/') {
        "/"
    } else {
        ""
    };
    format!("{root}{}", parts.join("/"))
}

/// The texts of one compilation and their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: Vec<SourceFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SourceFile {
    name: String,
    text: String,
    /// Whether the file begins with a byte order mark, which is not part of the text.
    marked: bool,
    line_starts: Vec<usize>,
}

/// The byte order mark that some editors put before UTF-8.
const MARK: char = '\u{feff}';

impl Sources {
    /// Adds a text and gives the id under which spans name it. A byte order mark at its start is left out.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let mut text = text.into();
        let marked = text.starts_with(MARK);
        if marked {
            text.drain(..MARK.len_utf8());
        }
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(newlines).collect();
        self.files.push(SourceFile {
            name: name.into(),
            text,
            marked,
            line_starts,
        });
        FileId(self.files.len() as u32 - 1)
    }

    /// The name of a text; empty for an id of other sources.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.name)
    }

    /// A text; empty for an id of other sources.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.text)
    }

    /// The text under a span; empty where there is none.
    pub fn slice(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.text(span.file).get(range).unwrap_or("")
    }

    /// Line and column, both from 1, of a byte of a text.
    pub fn line_column(&self, file: FileId, byte: u32) -> (usize, usize) {
        let Some(source) = self.files.get(file.0 as usize) else {
            return (1, 1);
        };
        let byte = (byte as usize).min(source.text.len());
        let line = source.line_starts.partition_point(|start| *start <= byte) - 1;
        let before = source.text.get(source.line_starts[line]..byte);
        (line + 1, before.map_or(1, |text| text.chars().count() + 1))
    }

    /// The byte of the file that a byte of its text is.
    pub fn file_byte(&self, file: FileId, byte: u32) -> u32 {
        let marked = self.files.get(file.0 as usize).is_some_and(|f| f.marked);
        byte + if marked { MARK.len_utf8() as u32 } else { 0 }
    }

    /// The first byte of each line of a text.
    pub fn line_starts(&self, file: FileId) -> &[usize] {
        self.files
            .get(file.0 as usize)
            .map_or(&[], |f| &f.line_starts)
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_resolve_against_the_importing_file() {
        assert_eq!(
            resolve_import("models/q.hqc", "unet.hqc"),
            "models/unet.hqc"
        );
        assert_eq!(resolve_import("models/q.hqc", "../a/b.hqc"), "a/b.hqc");
        assert_eq!(resolve_import("q.hqc", "./b.hqc"), "b.hqc");
        assert_eq!(resolve_import("q.hqc", "../b.hqc"), "../b.hqc");
        assert_eq!(resolve_import("/m/q.hqc", "../b.hqc"), "/b.hqc");
        assert_eq!(
            resolve_import("m/q.hqc", "std/blocks.hqc"),
            "std/blocks.hqc"
        );
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("a", "ab\nçd\n");
        assert_eq!(sources.line_column(file, 0), (1, 1));
        assert_eq!(sources.line_column(file, 3), (2, 1));
        assert_eq!(sources.line_column(file, 5), (2, 2));
        assert_eq!(sources.line_column(file, 999), (3, 1));
    }

    #[test]
    fn a_byte_order_mark_moves_no_column() {
        let mut sources = Sources::default();
        let file = sources.add("a", "\u{feff}ab\n");
        assert_eq!(sources.text(file), "ab\n");
        assert_eq!(sources.line_column(file, 1), (1, 2));
        assert_eq!(sources.file_byte(file, 1), 4);
    }
}
