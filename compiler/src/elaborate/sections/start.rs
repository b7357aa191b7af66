//! `start = weights("file", ...)`: the weights that a run begins from.

use super::reader::Reader;
use crate::diagnostic::{bail, error};
use crate::elaborate::arguments::Callee;
use crate::elaborate::state::{Outcome, Reported};
use crate::elaborate::value::Value;
use crate::experiment::{Missing, StartConfig, Typed};
use crate::names::NameMap;
use crate::setting::{Kind, Setting};
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, quote};

/// The settings of `weights`, besides its file.
const WEIGHTS: &[Setting] = &[
    Setting {
        name: "missing",
        kind: Kind::Word(Missing::WORDS),
        default: Some(Missing::Refuse.word()),
        doc: "what happens to parameters that the file lacks",
    },
    Setting {
        name: "names",
        kind: Kind::Other("the name of a list of names"),
        default: Some("none"),
        doc: "how the names in the file map to paths",
    },
    Setting {
        name: "prefix",
        kind: Kind::Other("a path of layers, such as `encoder`"),
        default: Some("none"),
        doc: "the path below which the tensors of the file belong",
    },
];

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
        error!(
            "train::start" at span, "a run starts from files of weights";
            help: "for example `start = weights(\"encoder.pth\", prefix = encoder)`"
        )
    };
    let ExprKind::Call(callee, arguments) = &expr.kind else {
        return Err(reader.elaborator.fail(form(expr.span)));
    };
    if !matches!(&callee.kind, ExprKind::Name(name) if name == "weights") {
        return Err(reader.elaborator.fail(form(callee.span)));
    }
    let (named, files): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| a.name.is_some());
    let file = match files.as_slice() {
        [] => return Err(reader.elaborator.fail(form(expr.span))),
        [file] => path_of_file(reader, &file.value)?,
        [_, second, ..] => bail!(
            reader.elaborator, "train::start" at second.value.span, "`weights` takes one file";
            help: "several files are a list: `start = [weights(...), weights(...)]`"
        ),
    };
    let mut start = StartConfig {
        file,
        prefix: String::new(),
        names: NameMap::default(),
        names_as: String::new(),
        missing: Missing::Refuse,
    };
    let callee = Callee {
        name: "weights",
        declared: WEIGHTS,
        by_position: false,
        defined: None,
    };
    let named = named.into_iter().map(|argument| (argument, ()));
    let matched = reader.elaborator.matched(&callee, named);
    for (setting, argument, ()) in &matched.given {
        let value = &argument.value;
        match setting.name {
            "prefix" => start.prefix = prefix(reader, value)?,
            "names" => {
                start.names = reader.elaborator.named_names(value, reader.frame)?;
                start.names_as = print_expression(value);
            }
            _ => {
                let found = reader.elaborator.value(setting, value, reader.frame)?;
                start.missing = found.and_then(Missing::of).ok_or(Reported)?;
            }
        }
    }
    reader.elaborator.complete(&callee, &matched, expr.span)?;
    Ok(start)
}

/// A quoted path of a file.
fn path_of_file(reader: &mut Reader, expr: &Expr) -> Outcome<String> {
    match reader.elaborator.setting(expr, reader.frame)? {
        Value::Str(text) => Ok(text.to_string()),
        value => {
            let wanted = "a quoted path of a file";
            let error = reader
                .elaborator
                .mismatch(wanted, &value, expr, reader.frame);
            Err(error)
        }
    }
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
