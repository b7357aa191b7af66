//! `start = weights("file", ...)`: what a run begins from.

use super::reader::Reader;
use crate::diagnostic::{Diagnostic, suggest};
use crate::elaborate::state::Outcome;
use crate::elaborate::value::Value;
use crate::experiment::{Missing, StartConfig};
use crate::names::NameMap;
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, quote};

const SETTINGS: [&str; 3] = ["missing", "names", "prefix"];
const MISSING: [(&str, Missing); 2] = [("keep", Missing::Keep), ("refuse", Missing::Refuse)];

/// The files that a run begins from, in order; none is the default.
pub(super) fn read_start(reader: &mut Reader) -> Vec<StartConfig> {
    let given = reader.given("start");
    let mut found = Vec::new();
    let items = match given.as_ref().map(|expr| &expr.kind) {
        None => &[][..],
        Some(ExprKind::Name(name)) if name == "none" => &[],
        Some(ExprKind::List(items)) => items.as_slice(),
        Some(_) => given.as_slice(),
    };
    for item in items {
        found.extend(weights(reader, item).ok());
    }
    reader.note("start", print_start(&found), given.as_ref());
    found
}

/// The setting `start` in the language's syntax.
pub fn print_start(start: &[StartConfig]) -> String {
    let texts: Vec<_> = start.iter().map(print_weights).collect();
    match texts.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn print_weights(start: &StartConfig) -> String {
    let mut text = format!("weights({}", quote(&start.file));
    if !start.prefix.is_empty() {
        text.push_str(&format!(", prefix = {}", quote(&start.prefix)));
    }
    if !start.names_as.is_empty() {
        text.push_str(&format!(", names = {}", start.names_as));
    }
    if start.missing == Missing::Keep {
        text.push_str(", missing = keep");
    }
    text + ")"
}

fn weights(reader: &mut Reader, expr: &Expr) -> Outcome<StartConfig> {
    let form = |span| {
        let message = "a run starts from files of weights";
        let error = Diagnostic::error("train::start", message).at(span, "");
        error.help("for example `start = weights(\"encoder.pth\", prefix = encoder)`")
    };
    let ExprKind::Call(callee, arguments) = &expr.kind else {
        return Err(reader.elaborator.fail(form(expr.span)));
    };
    if !matches!(&callee.kind, ExprKind::Name(name) if name == "weights") {
        return Err(reader.elaborator.fail(form(callee.span)));
    }
    let mut file = None;
    let mut start = StartConfig {
        file: String::new(),
        prefix: String::new(),
        names: NameMap::default(),
        names_as: String::new(),
        missing: Missing::Refuse,
    };
    let mut seen: Vec<&str> = Vec::new();
    for argument in arguments {
        let value = &argument.value;
        let Some(word) = &argument.name else {
            let text = reader.elaborator.setting(value, reader.frame)?;
            let Value::Str(text) = &text else {
                let wanted = "a quoted path of a file";
                let error = reader
                    .elaborator
                    .mismatch(wanted, &text, value, reader.frame);
                return Err(error);
            };
            if file.replace(text.to_string()).is_some() {
                let message = "`weights` takes one file";
                let error = Diagnostic::error("train::start", message).at(value.span, "");
                let help = "several files are a list: `start = [weights(...), weights(...)]`";
                return Err(reader.elaborator.fail(error.help(help)));
            }
            continue;
        };
        if seen.contains(&word.name.as_str()) {
            let message = format!("`{}` is given twice", word.name);
            let error = Diagnostic::error("call::twice", message).at(word.span, "second time");
            return Err(reader.elaborator.fail(error));
        }
        seen.push(&word.name);
        match word.name.as_str() {
            "prefix" => start.prefix = prefix(reader, value)?,
            "names" => {
                start.names = reader.elaborator.named_names(value, reader.frame)?;
                start.names_as = print_expression(value);
            }
            "missing" => {
                start.missing = reader
                    .elaborator
                    .word("missing", value, &MISSING, reader.frame)?;
            }
            other => {
                let message = format!("`weights` has no setting `{other}`");
                let mut error = Diagnostic::error("train::start", message).at(word.span, "");
                error.help = suggest(other, &SETTINGS);
                return Err(reader.elaborator.fail(error));
            }
        }
    }
    start.file = match file {
        Some(file) => file,
        None => return Err(reader.elaborator.fail(form(expr.span))),
    };
    Ok(start)
}

/// A path such as `encoder` or `e[0].conv1`, bare or quoted.
fn prefix(reader: &mut Reader, expr: &Expr) -> Outcome<String> {
    let mut inner = expr;
    loop {
        inner = match &inner.kind {
            ExprKind::Name(_) => return Ok(print_expression(expr)),
            ExprKind::Member(of, _) => of,
            ExprKind::Index(of, index) if matches!(index.kind, ExprKind::Int(_)) => of,
            _ => break,
        };
    }
    match reader.elaborator.setting(expr, reader.frame)? {
        Value::Str(text) => Ok(text.to_string()),
        value => {
            let wanted = "a path such as `encoder`";
            let error = reader
                .elaborator
                .mismatch(wanted, &value, expr, reader.frame);
            Err(error)
        }
    }
}
