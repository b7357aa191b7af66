//! The parts of the `train` section that come from tables: optimiser, metrics, checkpoint.

use super::reader::Reader;
use crate::diagnostic::{Diagnostic, suggest};
use crate::elaborate::state::Outcome;
use crate::experiment::*;
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, print_float};

const METRICS: [(&str, Metric); 2] = [("dsc", Metric::Dsc), ("iou", Metric::Iou)];

/// The settings of each optimiser with their defaults.
const OPTIMISERS: [(&str, &[(&str, f64)]); 3] = [
    (
        "adam",
        &[
            ("lr", 1e-3),
            ("beta1", 0.9),
            ("beta2", 0.999),
            ("eps", 1e-8),
            ("weight_decay", 0.0),
        ],
    ),
    (
        "adamw",
        &[
            ("lr", 1e-3),
            ("beta1", 0.9),
            ("beta2", 0.999),
            ("eps", 1e-8),
            ("weight_decay", 1e-2),
        ],
    ),
    (
        "sgd",
        &[
            ("lr", 1e-2),
            ("momentum", 0.0),
            ("weight_decay", 0.0),
            ("nesterov", 0.0),
        ],
    ),
];

pub(super) fn read_optim(reader: &mut Reader) -> Optimiser {
    let given = reader.given("optim");
    let values = match &given {
        Some(expr) => optim_values(reader, expr),
        None => Ok((
            OPTIMISERS[0].0,
            OPTIMISERS[0].1.iter().map(|(_, value)| *value).collect(),
        )),
    };
    let (name, values) = values.unwrap_or((OPTIMISERS[0].0, vec![1e-3, 0.9, 0.999, 1e-8, 0.0]));
    let settings = OPTIMISERS.iter().find(|(known, _)| *known == name);
    let keys = settings.map_or(&[][..], |(_, settings)| settings);
    let texts = keys
        .iter()
        .zip(&values)
        .map(|((key, _), value)| match *key {
            "nesterov" => format!("nesterov = {}", *value != 0.0),
            key => format!("{key} = {}", print_float(*value)),
        });
    let text = format!("{name}({})", texts.collect::<Vec<_>>().join(", "));
    reader.note("optim", text, given.as_ref());
    match (name, values.as_slice()) {
        ("sgd", &[lr, momentum, weight_decay, nesterov]) => Optimiser::Sgd {
            lr,
            momentum,
            weight_decay,
            nesterov: nesterov != 0.0,
        },
        (name, values) => {
            let at = |index: usize| values.get(index).copied().unwrap_or_default();
            Optimiser::Adam {
                lr: at(0),
                beta1: at(1),
                beta2: at(2),
                eps: at(3),
                weight_decay: at(4),
                decoupled: name == "adamw",
            }
        }
    }
}

fn optim_values(reader: &mut Reader, expr: &Expr) -> Outcome<(&'static str, Vec<f64>)> {
    let (callee, arguments) = match &expr.kind {
        ExprKind::Call(callee, arguments) => (callee.as_ref(), arguments.as_slice()),
        _ => (expr, &[][..]),
    };
    let word = match &callee.kind {
        ExprKind::Name(word) => word.clone(),
        _ => print_expression(callee),
    };
    let Some((name, settings)) = OPTIMISERS.iter().find(|(known, _)| *known == word) else {
        let message = format!("there is no optimiser called `{word}`");
        let mut error = Diagnostic::error("train::optim", message).at(callee.span, "");
        error.help = suggest(&word, &OPTIMISERS.map(|(name, _)| name));
        return Err(reader.elaborator.fail(error));
    };
    let mut values: Vec<f64> = settings.iter().map(|(_, value)| *value).collect();
    for argument in arguments {
        let Some(word) = &argument.name else {
            let message = format!("settings of `{name}` are given by name");
            let error = Diagnostic::error("train::optim", message);
            let error = error.at(argument.value.span, "");
            let help = format!("for example `{name}(lr = 1e-3)`");
            return Err(reader.elaborator.fail(error.help(help)));
        };
        let Some(index) = settings.iter().position(|(key, _)| *key == word.name) else {
            let message = format!("`{name}` has no setting `{}`", word.name);
            let mut error = Diagnostic::error("call::setting", message).at(word.span, "");
            let known: Vec<_> = settings.iter().map(|(key, _)| *key).collect();
            error.help = suggest(&word.name, &known);
            return Err(reader.elaborator.fail(error));
        };
        values[index] = match word.name.as_str() {
            "nesterov" => f64::from(reader.elaborator.bool(&argument.value, reader.frame)?),
            key => reader.number(&argument.value, key)?,
        };
        let fraction = matches!(word.name.as_str(), "beta1" | "beta2" | "momentum");
        let value = values[index];
        if value < 0.0 || (fraction && value >= 1.0) {
            let range = match fraction {
                true => "lie between 0 and 1, 1 excluded",
                false => "not be negative",
            };
            let message = format!("`{}` must {range}", word.name);
            let error = Diagnostic::error("setting::range", message);
            let error = error.at(argument.value.span, format!("this is {value}"));
            return Err(reader.elaborator.fail(error));
        }
    }
    Ok((name, values))
}

pub(super) fn read_metrics(reader: &mut Reader) -> Vec<Metric> {
    let Some(expr) = reader.given("metrics") else {
        reader.note("metrics", "[dsc, iou]".to_owned(), None);
        return vec![Metric::Dsc, Metric::Iou];
    };
    let items = match &expr.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&expr),
    };
    let mut metrics = Vec::new();
    for item in items {
        let metric = reader
            .elaborator
            .word("metrics", item, &METRICS, reader.frame);
        metrics.extend(metric);
    }
    reader.note("metrics", print_expression(&expr), Some(&expr));
    metrics
}

pub(super) fn read_keep(reader: &mut Reader) -> Keep {
    let Some(expr) = reader.given("keep") else {
        reader.note("keep", "best(dsc)".to_owned(), None);
        return Keep::Best(Metric::Dsc);
    };
    reader.note("keep", print_expression(&expr), Some(&expr));
    let name = |expr: &Expr| match &expr.kind {
        ExprKind::Name(name) => name.clone(),
        _ => String::new(),
    };
    match &expr.kind {
        ExprKind::Call(callee, arguments) if name(callee) == "best" && arguments.len() == 1 => {
            let metric = &arguments[0].value;
            let metric = reader
                .elaborator
                .word("keep", metric, &METRICS, reader.frame);
            metric.map_or(Keep::Last, Keep::Best)
        }
        _ if name(&expr) == "last" => Keep::Last,
        _ => {
            let error = Diagnostic::error("train::keep", "`keep` says which checkpoint is kept");
            let error = error
                .at(expr.span, "")
                .help("write `best(dsc)`, `best(iou)` or `last`");
            reader.elaborator.fail(error);
            Keep::Last
        }
    }
}
