//! What the compiler tells a user: a code, one sentence, the places it is about, and help.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::{files, term};
use serde::Serialize;

use crate::syntax::span::{FileId, Sources, Span};

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong, but the user will want to know.
    Note,
    /// It compiles, though probably not as it was meant.
    Warning,
    /// It does not compile.
    Error,
}

/// A fact stated at a place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The fact; may be empty where the place says enough.
    pub text: String,
    /// Whether this is the place the message is about, not one that helps to understand it.
    pub primary: bool,
}

/// One message to the user. It prints itself (`Display`) with the lines of the source that it is about, without colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Lasting code such as `shape::concat`.
    pub code: String,
    /// How serious it is.
    pub severity: Severity,
    /// One lower-case sentence that names things as the user wrote them.
    pub message: String,
    /// The places, the primary one first.
    pub labels: Vec<Label>,
    /// What to do about it, if that is known.
    pub help: Option<String>,
    /// The texts that the labels point into, shared by all messages of a compilation.
    sources: Arc<Sources>,
}

/// An error at its place, as one statement. After the message come, in this order and each as often as it is needed:
/// `here` (the fact at the place), `see` (a place that helps to understand it), `help`, and `suggest` (help that may be
/// absent). Texts are those of `format!`.
///
/// ```text
/// error!(
///     "name::index" at span, "`{name}` needs an index";
///     here: "this is a family";
///     see: first, "bound here";
///     help: "bound are {keys}"
/// )
/// ```
macro_rules! error {
    (@ $error:expr) => { $error };
    (@ $error:expr; here: $text:literal $(, $arg:expr)* $(; $($rest:tt)+)?) => {
        $crate::diagnostic::error!(@ $error.here(format!($text $(, $arg)*)) $(; $($rest)+)?)
    };
    (@ $error:expr; see: $span:expr, $text:literal $(, $arg:expr)* $(; $($rest:tt)+)?) => {
        $crate::diagnostic::error!(@ $error.see($span, format!($text $(, $arg)*)) $(; $($rest)+)?)
    };
    (@ $error:expr; help: $text:literal $(, $arg:expr)* $(; $($rest:tt)+)?) => {
        $crate::diagnostic::error!(@ $error.help(format!($text $(, $arg)*)) $(; $($rest)+)?)
    };
    (@ $error:expr; suggest: $help:expr $(; $($rest:tt)+)?) => {
        $crate::diagnostic::error!(@ $error.maybe_help($help) $(; $($rest)+)?)
    };
    ($code:literal at $span:expr, $text:literal $(, $arg:expr)* $(; $($rest:tt)+)?) => {
        $crate::diagnostic::error!(
            @ $crate::diagnostic::Diagnostic::error($code, format!($text $(, $arg)*)).at($span, "") $(; $($rest)+)?
        )
    };
}

/// Reports an error, written as for [`error!`], and returns from a function that gives an `Outcome`. The first argument
/// is the elaborator.
macro_rules! bail {
    ($elaborator:expr, $($error:tt)+) => {
        return Err($elaborator.fail($crate::diagnostic::error!($($error)+)))
    };
}

pub(crate) use {bail, error};

/// Column at which messages and help are wrapped.
pub const WIDTH: usize = 90;

impl Diagnostic {
    fn new(severity: Severity, code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code: code.to_owned(),
            severity,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            sources: Arc::default(),
        }
    }

    /// An error: the compiler gives no output.
    pub fn error(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning: there is a result.
    pub fn warning(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A note: there is a result, and it is probably meant.
    pub fn note(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Note, code, message)
    }

    /// States the fact at the place that was added last.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Diagnostic {
        if let Some(label) = self.labels.last_mut() {
            label.text = text.into();
        }
        self
    }

    /// Adds the place the message is about.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
            primary: true,
        });
        self
    }

    /// Adds a place that helps to understand the message.
    #[must_use]
    pub fn see(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
            primary: false,
        });
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Says what to do about it, if that is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help;
        self
    }

    /// Whether this stops the compiler.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Gives the message the texts that its labels point into.
    #[must_use]
    pub fn within(mut self, sources: &Arc<Sources>) -> Diagnostic {
        self.sources = Arc::clone(sources);
        self
    }

    /// The message as it prints itself, coloured by ANSI escapes.
    pub fn render_coloured(&self) -> String {
        let config = term::Config::default();
        let styles = term::Styles::default();
        let mut buffer = term::termcolor::Buffer::ansi();
        let mut writer = term::StylesWriter::new(&mut buffer, &styles);
        let shown = Shown::of(&self.sources);
        match term::emit_to_write_style(&mut writer, &config, &shown, &self.as_codespan()) {
            Ok(()) => String::from_utf8_lossy(buffer.as_slice()).into_owned(),
            Err(_) => self.render_bare(),
        }
    }

    /// The message with file, line and column of every label spelled out, for other programs.
    pub fn to_json(&self) -> serde_json::Value {
        let sources = &self.sources;
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|label| {
                let (line, column) = sources.line_column(label.span.file, label.span.start);
                serde_json::json!({
                    "file": sources.name(label.span.file),
                    "line": line,
                    "column": column,
                    "start": sources.file_byte(label.span.file, label.span.start),
                    "end": sources.file_byte(label.span.file, label.span.end),
                    "text": label.text,
                    "primary": label.primary,
                })
            })
            .collect();
        serde_json::json!({
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "labels": labels,
            "help": self.help,
        })
    }

    fn render_bare(&self) -> String {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let mut text = format!("{severity}[{}]: {}\n", self.code, printable(&self.message));
        if let Some(help) = &self.help {
            text.push_str(&format!("  = help: {}\n", printable(help)));
        }
        text
    }

    fn as_codespan(&self) -> codespan::Diagnostic<FileId> {
        let severity = match self.severity {
            Severity::Note => codespan::Severity::Note,
            Severity::Warning => codespan::Severity::Warning,
            Severity::Error => codespan::Severity::Error,
        };
        let head = format!("{severity:?}[{}]: ", self.code);
        let labels = self.labels.iter().map(|label| {
            let style = if label.primary {
                codespan::LabelStyle::Primary
            } else {
                codespan::LabelStyle::Secondary
            };
            let span = label.span;
            codespan::Label::new(style, span.file, span.start as usize..span.end as usize)
                .with_message(wrap(&printable(&label.text), WIDTH / 2, 0).join("\n"))
        });
        let notes = self.help.iter().map(|help| {
            let help = format!("help: {}", printable(help));
            wrap(&help, WIDTH - 4, 0).join("\n")
        });
        codespan::Diagnostic::new(severity)
            .with_code(&self.code)
            .with_message(wrap(&printable(&self.message), WIDTH, head.len()).join("\n  "))
            .with_labels(labels.collect())
            .with_notes(notes.collect())
    }
}

/// Whether a character would act on a terminal instead of being seen: control characters, and those that turn the
/// direction of writing. Line ends and tabs are laid out by the renderer.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// A text with such characters written as `\u{1b}`.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for c in text.chars() {
        match acts(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A source text with such characters replaced by visible ones of as many bytes, so that spans stay right.
fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let line_end = c == '\r' && chars.peek() == Some(&'\n');
        out.push(match c.len_utf8() {
            _ if line_end || !acts(c) => c,
            1 => '?',
            2 => '\u{bf}',
            _ => '\u{fffd}',
        });
    }
    Cow::Owned(out)
}

/// Source texts as the renderer may print them.
struct Shown<'a> {
    sources: &'a Sources,
    files: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Shown<'a> {
    fn of(sources: &'a Sources) -> Shown<'a> {
        let ids = (0..sources.len() as u32).map(FileId);
        let file = |id| (printable(sources.name(id)), masked(sources.text(id)));
        Shown {
            sources,
            files: ids.map(file).collect(),
        }
    }

    fn file(&self, id: FileId) -> Result<&(Cow<'a, str>, Cow<'a, str>), files::Error> {
        self.files
            .get(id.0 as usize)
            .ok_or(files::Error::FileMissing)
    }
}

impl<'s> files::Files<'s> for Shown<'_> {
    type FileId = FileId;
    type Name = &'s str;
    type Source = &'s str;

    fn name(&'s self, id: FileId) -> Result<&'s str, files::Error> {
        Ok(&self.file(id)?.0)
    }

    fn source(&'s self, id: FileId) -> Result<&'s str, files::Error> {
        Ok(&self.file(id)?.1)
    }

    fn line_index(&'s self, id: FileId, byte: usize) -> Result<usize, files::Error> {
        Ok(self.sources.line_column(id, byte as u32).0 - 1)
    }

    fn line_range(&'s self, id: FileId, line: usize) -> Result<Range<usize>, files::Error> {
        let starts = self.sources.line_starts(id);
        let start = *starts.get(line).ok_or(files::Error::LineTooLarge {
            given: line,
            max: starts.len(),
        })?;
        let end = self.sources.text(id).len();
        Ok(start..starts.get(line + 1).copied().unwrap_or(end))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = term::Config::default();
        match term::emit_into_string(&config, &Shown::of(&self.sources), &self.as_codespan()) {
            Ok(text) => writeln!(f, "{}", text.trim_end()),
            Err(_) => f.write_str(&self.render_bare()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// All messages as text, an empty line between them.
pub fn render_all(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<_> = diagnostics.iter().map(Diagnostic::to_string).collect();
    texts.join("\n")
}

/// The known name nearest to a mistyped one, if any is near enough to be meant. Of names with dots only what follows
/// the words that both begin with counts.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let head = &wrong[..wrong.rfind('.').map_or(0, |dot| dot + 1)];
    let distance = |name: &'a str| {
        let (wrong, name) = match name.strip_prefix(head) {
            Some(rest) => (&wrong[head.len()..], rest),
            None => (wrong, name),
        };
        let reach = (wrong.chars().count() / 3).max(1);
        let distance = strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase());
        (distance <= reach && distance < name.len()).then_some(distance)
    };
    let found = known
        .into_iter()
        .filter_map(|name| Some((distance(name)?, name)));
    found.min().map(|(_, name)| name)
}

/// Help for an unknown name: the nearest one if there is one, else all there are.
pub fn suggest(wrong: &str, known: &[&str]) -> Option<String> {
    if let Some(name) = nearest(wrong, known.iter().copied()) {
        return Some(format!("did you mean `{name}`?"));
    }
    if known.is_empty() {
        return None;
    }
    let mut names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    if names.len() > 24 {
        names.truncate(24);
        names.push("...".to_owned());
    }
    Some(format!("there is {}", list(&names, "and")))
}

/// `a, b and c`.
pub fn list(names: &[String], word: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}

fn wrap(text: &str, width: usize, first_indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = if lines.is_empty() { first_indent } else { 0 };
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if !line.is_empty() && used + 1 + length > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            } else if !line.is_empty() {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_leaves_strangers() {
        let known = ["epochs", "batch", "seed"];
        assert_eq!(nearest("epoch", known), Some("epochs"));
        assert_eq!(nearest("bacth", known), Some("batch"));
        assert_eq!(nearest("model", known), None);
        assert_eq!(nearest("lr", ["k", "lp"]), Some("lp"));
    }

    #[test]
    fn nearest_compares_what_follows_the_dots_that_both_share() {
        let known = ["augment.flip", "augment.noise"];
        assert_eq!(nearest("augment.flop", known), Some("augment.flip"));
        assert_eq!(nearest("augment.elastic", known), None);
    }

    #[test]
    fn no_text_of_a_user_acts_on_the_terminal() {
        let mut sources = Sources::default();
        let file = sources.add("a\u{1b}[31m.hqc", "let \u{1b}[31m\u{202e}\u{9b}x = y\n");
        let diagnostic = Diagnostic::error("name::unknown", "`\u{1b}[31m` is red")
            .at(Span::new(file, 14, 15), "\u{7} rings")
            .help("\u{1b}[0m")
            .within(&Arc::new(sources));
        let text = diagnostic.to_string();
        assert!(text.chars().all(|c| c == '\n' || !acts(c)), "{text}");
        assert!(text.contains(r"`\u{1b}[31m` is red"), "{text}");
        assert!(text.contains("a\\u{1b}[31m.hqc:1:"), "{text}");
        assert!(text.contains("let ?[31m\u{fffd}\u{bf}x = y"), "{text}");
        let coloured = diagnostic.render_coloured();
        assert!(!coloured.contains("\u{1b}[31m` is red"));
        assert!(!coloured.contains("let \u{1b}[31m"));
    }

    #[test]
    fn rendering_wraps_help_and_marks_the_place() {
        let mut sources = Sources::default();
        let file = sources.add("a.hqc", "model M {}\n");
        let diagnostic = Diagnostic::error("model::output", "model `M` has no output")
            .at(Span::new(file, 6, 7), "nothing is marked `output`")
            .help("word ".repeat(30).trim())
            .within(&Arc::new(sources));
        let text = diagnostic.to_string();
        assert!(text.contains("a.hqc:1:7"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(diagnostic.render_coloured().contains("\u{1b}["));
    }
}
