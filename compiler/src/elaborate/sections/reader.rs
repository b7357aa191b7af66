//! Reads the settings of one section, and notes where each value comes from.

use crate::diagnostic::{Diagnostic, suggest};
use crate::elaborate::state::{Elaborator, Frame, Outcome};
use crate::elaborate::value::Value;
use crate::experiment::Resolved;
use crate::syntax::ast::*;
use crate::syntax::print::print_float;
use crate::syntax::span::{Sources, Span};

/// Settings of one section, the later ones over the earlier.
pub(super) struct Reader<'r, 'a> {
    pub(super) elaborator: &'r mut Elaborator<'a>,
    pub(super) frame: &'r Frame<'a>,
    section: String,
    pub(super) entries: Vec<Entry>,
    pub(super) used: Vec<bool>,
    resolved: Vec<Resolved>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(super) fn new(
        elaborator: &'r mut Elaborator<'a>,
        frame: &'r Frame<'a>,
        section: String,
        entries: Vec<Entry>,
    ) -> Reader<'r, 'a> {
        let used = vec![false; entries.len()];
        Reader {
            elaborator,
            frame,
            section,
            entries,
            used,
            resolved: Vec::new(),
        }
    }

    /// The expression of a setting, if it is given.
    pub(super) fn value(&self, key: &str) -> Option<&Expr> {
        let entry = self.entries.iter().rfind(|entry| key_text(entry) == key);
        entry.map(|entry| &entry.value)
    }

    /// As [`Reader::value`], and marks the setting as read.
    pub(super) fn given(&mut self, key: &str) -> Option<Expr> {
        let index = self
            .entries
            .iter()
            .rposition(|entry| key_text(entry) == key)?;
        self.used[index] = true;
        Some(self.entries[index].value.clone())
    }

    pub(super) fn note(&mut self, key: &str, value: String, from: Option<&Expr>) {
        let sources = self.elaborator.texts.sources;
        let mut origins = match from {
            None => vec!["default".to_owned()],
            Some(expr) => vec![origin(sources, expr.span)],
        };
        if let Some(ExprKind::Call(_, arguments)) = from.map(|expr| &expr.kind) {
            let values = arguments.iter().map(|argument| argument.value.span);
            let settings = values.filter(|span| sources.name(span.file).starts_with('<'));
            origins.extend(settings.map(|span| origin(sources, span)));
            origins.dedup();
        }
        let origin = origins.join(", ");
        self.resolved.push(Resolved {
            section: self.section.clone(),
            key: key.to_owned(),
            value,
            origin,
        });
    }

    pub(super) fn int(&mut self, key: &str, default: i64, least: i64, most: i64) -> i64 {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.int(expr, self.frame)?;
            if (least..=most).contains(&value) {
                return Ok(value);
            }
            let message = format!("`{key}` must lie between {least} and {most}");
            let error = Diagnostic::error("setting::range", message);
            Err(self
                .elaborator
                .fail(error.at(expr.span, format!("this is {value}"))))
        });
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, value.to_string(), given.as_ref());
        value
    }

    pub(super) fn float(&mut self, key: &str, default: f64) -> f64 {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| self.number(expr, key));
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, print_float(value), given.as_ref());
        value
    }

    pub(super) fn number(&mut self, expr: &Expr, key: &str) -> Outcome<f64> {
        let value = self.elaborator.setting(expr, self.frame)?;
        value.as_float().ok_or_else(|| {
            let wanted = format!("a number for `{key}`");
            self.elaborator.mismatch(&wanted, &value, expr, self.frame)
        })
    }

    pub(super) fn bool(&mut self, key: &str, default: bool) -> bool {
        let given = self.given(key);
        let value = given
            .as_ref()
            .map(|expr| self.elaborator.bool(expr, self.frame));
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, value.to_string(), given.as_ref());
        value
    }

    pub(super) fn word(&mut self, key: &str, words: &[&str], default: &str) -> String {
        let given = self.given(key);
        let pairs: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
        let value = given
            .as_ref()
            .map(|expr| self.elaborator.word(key, expr, &pairs, self.frame));
        let value = value.and_then(Outcome::ok).unwrap_or(default).to_owned();
        self.note(key, value.clone(), given.as_ref());
        value
    }

    /// A quoted text or a word.
    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            // On the command line a path stands without quotes, and `a/b` is no division.
            let sources = self.elaborator.texts.sources;
            let plain = matches!(expr.kind, ExprKind::Binary(..) | ExprKind::Member(..));
            if plain && sources.name(expr.span.file).starts_with('<') {
                return Ok(Value::Str(sources.slice(expr.span).into()));
            }
            let value = self.elaborator.setting(expr, self.frame)?;
            match value {
                Value::Str(_) | Value::Word(_) => Ok(value),
                value => Err(self.elaborator.mismatch("a text", &value, expr, self.frame)),
            }
        });
        let value = value
            .and_then(Outcome::ok)
            .unwrap_or(Value::Word(default.into()));
        self.note(key, value.print(), given.as_ref());
        match value {
            Value::Str(text) => text.to_string(),
            Value::Word(word) => word,
            _ => default.to_owned(),
        }
    }

    pub(super) fn pair(&mut self, key: &str, default: [f64; 2]) -> [f64; 2] {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.setting(expr, self.frame)?;
            let numbers: Option<Vec<f64>> = match &value {
                Value::List(list) => list.items().iter().map(Value::as_float).collect(),
                _ => None,
            };
            match numbers.as_deref() {
                Some(&[low, high]) => Ok([low, high]),
                _ => {
                    let wanted = format!("two numbers in brackets for `{key}`");
                    Err(self.elaborator.mismatch(&wanted, &value, expr, self.frame))
                }
            }
        });
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        let texts = value.map(|x| match x.fract() == 0.0 && x.abs() < 1e6 {
            true => format!("{x}"),
            false => print_float(x),
        });
        self.note(key, format!("[{}]", texts.join(", ")), given.as_ref());
        value
    }

    /// Half-open ranges of case numbers, as the runtime reads them.
    pub(super) fn cases(&mut self, key: &str, default: &str) -> String {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.setting(expr, self.frame)?;
            let parts = match &value {
                Value::List(list) => list.items(),
                one => std::slice::from_ref(one),
            };
            let mut texts = Vec::new();
            for part in parts {
                let (from, to) = match part {
                    Value::Range {
                        from,
                        to,
                        inclusive,
                    } => (*from, to.saturating_add(i64::from(*inclusive))),
                    Value::Int(one) => (*one, one.saturating_add(1)),
                    _ => {
                        let wanted = format!("case numbers such as `0..180` for `{key}`");
                        return Err(self.elaborator.mismatch(&wanted, &value, expr, self.frame));
                    }
                };
                if !(0 <= from && from <= to && to <= 100_000) {
                    let message = format!("`{from}..{to}` is no range of cases");
                    let error = Diagnostic::error("setting::range", message);
                    let error = error.at(expr.span, "");
                    return Err(self
                        .elaborator
                        .fail(error.help("cases are numbered 0 to 99999")));
                }
                texts.push(format!("{from}..{to}"));
            }
            Ok(texts)
        });
        let value = value
            .and_then(Outcome::ok)
            .unwrap_or_else(|| vec![default.to_owned()]);
        let shown = match value.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        self.note(key, shown, given.as_ref());
        value.join(", ")
    }

    /// Reports settings that nothing asked for.
    pub(super) fn finish(self, known: &[&str]) -> Vec<Resolved> {
        for (entry, used) in self.entries.iter().zip(&self.used) {
            let text = key_text(entry);
            if *used || known.contains(&text.as_str()) {
                continue;
            }
            let first = entry.key.first().map_or(entry.span, |word| word.span);
            let span = entry.key.last().map_or(first, |word| first.to(word.span));
            let section = self.section.split(' ').next().unwrap_or("");
            let message = format!("`{section}` has no setting `{text}`");
            let mut error = Diagnostic::error("setting::unknown", message).at(span, "");
            error.help = suggest(&text, known);
            self.elaborator.fail(error);
        }
        self.resolved
    }
}

pub(super) fn key_text(entry: &Entry) -> String {
    let words: Vec<_> = entry.key.iter().map(|word| word.name.as_str()).collect();
    words.join(".")
}

/// `file:line`, or the setting on the command line.
pub(super) fn origin(sources: &Sources, span: Span) -> String {
    let name = sources.name(span.file);
    match name
        .strip_prefix("<")
        .and_then(|name| name.strip_suffix('>'))
    {
        Some(setting) => setting.to_owned(),
        None => format!("{name}:{}", sources.line_column(span.file, span.start).0),
    }
}
