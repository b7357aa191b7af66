//! What the compiler tells a user: a code, one sentence, the places it is about, and help.

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::term;
use serde::{Deserialize, Serialize};

use crate::syntax::span::{Sources, Span};

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong, but the user will want to know.
    Note,
    /// It compiles, though probably not to what was meant.
    Warning,
    /// It does not compile.
    Error,
}

/// A fact stated at a place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The fact; may be empty where the place says enough.
    pub text: String,
    /// Whether this is the place the message is about, not one that helps to understand it.
    pub primary: bool,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

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
        }
    }

    /// An error: nothing comes out of the compiler.
    pub fn error(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning: the result stands.
    pub fn warning(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A note: the result stands and is probably meant.
    pub fn note(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Note, code, message)
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

    /// Whether this stops the compiler.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The message as text without colour, source lines included, wrapped at [`WIDTH`].
    pub fn render(&self, sources: &Sources) -> String {
        let config = term::Config::default();
        match term::emit_into_string(&config, sources, &self.as_codespan()) {
            Ok(text) => format!("{}\n", text.trim_end()),
            Err(_) => self.render_bare(),
        }
    }

    /// The message as [`Diagnostic::render`] gives it, coloured by ANSI escapes.
    pub fn render_coloured(&self, sources: &Sources) -> String {
        let config = term::Config::default();
        let styles = term::Styles::default();
        let mut buffer = term::termcolor::Buffer::ansi();
        let mut writer = term::StylesWriter::new(&mut buffer, &styles);
        match term::emit_to_write_style(&mut writer, &config, sources, &self.as_codespan()) {
            Ok(()) => String::from_utf8_lossy(buffer.as_slice()).into_owned(),
            Err(_) => self.render_bare(),
        }
    }

    /// The message with file, line and column of every label spelled out, for other programs.
    pub fn to_json(&self, sources: &Sources) -> serde_json::Value {
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|label| {
                let (line, column) = sources.line_column(label.span.file, label.span.start);
                serde_json::json!({
                    "file": sources.name(label.span.file),
                    "line": line,
                    "column": column,
                    "start": label.span.start,
                    "end": label.span.end,
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
        let mut text = format!("{severity}[{}]: {}\n", self.code, self.message);
        if let Some(help) = &self.help {
            text.push_str(&format!("  = help: {help}\n"));
        }
        text
    }

    fn as_codespan(&self) -> codespan::Diagnostic<crate::syntax::span::FileId> {
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
                .with_message(wrap(&label.text, WIDTH / 2, 0).join("\n"))
        });
        let notes = self.help.iter().map(|help| {
            let help = format!("help: {help}");
            wrap(&help, WIDTH - 4, 0).join("\n")
        });
        codespan::Diagnostic::new(severity)
            .with_code(&self.code)
            .with_message(wrap(&self.message, WIDTH, head.len()).join("\n  "))
            .with_labels(labels.collect())
            .with_notes(notes.collect())
    }
}

/// Renders all of them, one after another, as [`Diagnostic::render`] does.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let texts: Vec<_> = diagnostics.iter().map(|d| d.render(sources)).collect();
    texts.join("\n")
}

/// The known name nearest to a mistyped one, if any is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let reach = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
            (distance, name)
        })
        .filter(|&(distance, name)| distance <= reach && distance < name.len())
        .min()
        .map(|(_, name)| name)
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
    fn rendering_wraps_help_and_marks_the_place() {
        let mut sources = Sources::default();
        let file = sources.add("a.hqc", "model M {}\n");
        let diagnostic = Diagnostic::error("model::empty", "model `M` has no output")
            .at(Span::new(file, 6, 7), "nothing is marked `output`")
            .help("word ".repeat(30).trim());
        let text = diagnostic.render(&sources);
        assert!(text.contains("a.hqc:1:7"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(diagnostic.render_coloured(&sources).contains("\u{1b}["));
    }
}
