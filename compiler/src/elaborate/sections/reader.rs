//! Reads the settings of one section, and notes where each value comes from.

use crate::diagnostic::{Diagnostic, suggest};
use crate::elaborate::state::{Elaborator, Frame, Outcome};
use crate::experiment::{Resolved, Typed, Visitor};
use crate::setting::{Setting, SettingValue};
use crate::syntax::ast::*;
use crate::syntax::parse_value;
use crate::syntax::print::print_float;
use crate::syntax::span::{Sources, Span};

/// Settings of one section, the later ones over the earlier.
pub(super) struct Reader<'r, 'a> {
    pub(super) elaborator: &'r mut Elaborator<'a>,
    pub(super) frame: &'r Frame<'a>,
    section: String,
    pub(super) entries: Vec<Entry>,
    pub(super) used: Vec<bool>,
    /// The settings of the section, as far as they were read.
    pub(super) known: Vec<&'static str>,
    resolved: Vec<Resolved>,
}

/// Reads a setting: takes the value that is given, and notes where it comes from.
impl Visitor for Reader<'_, '_> {
    fn visit<T: Typed>(&mut self, setting: &'static Setting, value: &mut T) {
        self.known.push(setting.name);
        let given = self.given(setting.name);
        if let Some(expr) = &given
            && let Ok(found) = self.elaborator.value(setting, expr, self.frame)
            && let Some(found) = found.and_then(T::of)
        {
            *value = found;
        }
        let text = match value.value() {
            SettingValue::Float(number) => print_float(number),
            other => other.to_string(),
        };
        self.note(setting.name, text, given.as_ref());
    }
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
            known: Vec::new(),
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

    /// The value of a setting, given or its default.
    ///
    /// # Errors
    /// The default is not what the setting takes, which is a fault of hqcc. A value that is refused is reported, and the
    /// default stands in for it, so that the rest is checked as well.
    pub(super) fn read<T: Typed>(&mut self, setting: &'static Setting) -> Outcome<T> {
        let Some(mut value) = setting.default_value().and_then(T::of) else {
            let message = format!("the default of `{}` is not what it takes", setting.name);
            return Err(self
                .elaborator
                .fail(Diagnostic::error("syntax::internal", message)));
        };
        self.visit(setting, &mut value);
        Ok(value)
    }

    pub(super) fn number(&mut self, expr: &Expr, key: &str) -> Outcome<f64> {
        let value = self.elaborator.setting(expr, self.frame)?;
        value.as_float().ok_or_else(|| {
            let wanted = format!("a number for `{key}`");
            self.elaborator.mismatch(&wanted, &value, expr, self.frame)
        })
    }

    /// The expression of a setting: given, or its default.
    ///
    /// # Errors
    /// The default does not parse, which is a fault of hqcc.
    pub(super) fn expression(&mut self, setting: &'static Setting) -> Outcome<(Expr, bool)> {
        if let Some(expr) = self.given(setting.name) {
            return Ok((expr, true));
        }
        let default = parse_value(self.frame.module.file, setting.default.unwrap_or_default());
        match default {
            Ok(expr) => Ok((expr, false)),
            Err(error) => Err(self.elaborator.fail(error)),
        }
    }

    /// Reports settings that nothing asked for.
    pub(super) fn finish(self) -> Vec<Resolved> {
        for (entry, used) in self.entries.iter().zip(&self.used) {
            let text = key_text(entry);
            // The first of two equal entries is not used, and was reported.
            if *used || self.known.contains(&text.as_str()) {
                continue;
            }
            let first = entry.key.first().map_or(entry.span, |word| word.span);
            let span = entry.key.last().map_or(first, |word| first.to(word.span));
            let section = self.section.split(' ').next().unwrap_or("");
            let message = format!("`{section}` has no setting `{text}`");
            let mut error = Diagnostic::error("setting::unknown", message).at(span, "");
            error.help = suggest(&text, &self.known);
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
