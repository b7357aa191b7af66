//! Lays the settings of the command line over the entries of a section.

use super::reader::key_text;
use crate::diagnostic::Diagnostic;
use crate::elaborate::project::Project;
use crate::elaborate::state::Elaborator;
use crate::experiment::train as records;
use crate::syntax::ast::*;
use crate::syntax::parse_value;

/// The entries of a section with the settings of the command line laid over them. `heads` are the
/// first words that name the section on the command line.
pub(super) fn overlaid(
    elaborator: &mut Elaborator,
    project: &Project,
    entries: &[Entry],
    heads: &[&str],
) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for entry in entries {
        let text = key_text(entry);
        if let Some(first) = all.iter().find(|old| key_text(old) == text) {
            let message = format!("`{text}` is set twice");
            let error = Diagnostic::error("setting::twice", message);
            let error = error.at(entry.span, "second time");
            elaborator.fail(error.see(first.span, "first time"));
        }
        all.push(entry.clone());
    }
    for setting in &project.settings {
        let head = setting.key[0].name.as_str();
        if !heads.contains(&head) || setting.key.len() < 2 {
            continue;
        }
        // `model.base` is short for `train.model.base`.
        let rest = if head == "model" { 0 } else { 1 };
        overlay(&mut all, &setting.key[rest..], setting);
    }
    all
}

/// Sets `key`; what lies below a setting whose value is a call, such as `optim.lr`, becomes an
/// argument of that call.
fn overlay(entries: &mut Vec<Entry>, key: &[Ident], setting: &Entry) {
    let text = |key: &[Ident]| {
        let words: Vec<_> = key.iter().map(|word| word.name.as_str()).collect();
        words.join(".")
    };
    let whole = text(key);
    entries.retain(|entry| key_text(entry) != whole);
    if let [outer, inner] = key
        && let Some(entry) = entries
            .iter_mut()
            .find(|entry| key_text(entry) == outer.name)
        && let Some(arguments) = arguments_of(&mut entry.value)
    {
        let named = |argument: &Argument| {
            argument
                .name
                .as_ref()
                .is_some_and(|name| name.name == inner.name)
        };
        arguments.retain(|argument| !named(argument));
        arguments.push(Argument {
            name: Some(inner.clone()),
            value: setting.value.clone(),
        });
        return;
    }
    // The optimiser that is the default can be set in part as well.
    let default = records::OPTIM.default.unwrap_or_default();
    if let [outer, inner] = key
        && outer.name == records::OPTIM.name
        && let Ok(mut value) = parse_value(setting.span.file, default)
        && let Some(arguments) = arguments_of(&mut value)
    {
        arguments.push(Argument {
            name: Some(inner.clone()),
            value: setting.value.clone(),
        });
        value.span = setting.value.span;
        entries.push(Entry {
            key: vec![outer.clone()],
            value,
            span: setting.span,
        });
        return;
    }
    entries.push(Entry {
        key: key.to_vec(),
        ..setting.clone()
    });
}

/// The arguments of a call, or of a name that becomes one.
fn arguments_of(value: &mut Expr) -> Option<&mut Vec<Argument>> {
    if matches!(value.kind, ExprKind::Name(_) | ExprKind::Member(..)) {
        let callee = value.clone();
        value.kind = ExprKind::Call(Box::new(callee), Vec::new());
    }
    match &mut value.kind {
        ExprKind::Call(_, arguments) => Some(arguments),
        _ => None,
    }
}
