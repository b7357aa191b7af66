//! The parts of the `train` section that come from tables: optimiser, metrics, checkpoint.

use super::reader::Reader;
use crate::diagnostic::{bail, error, suggest};
use crate::elaborate::arguments::Callee;
use crate::elaborate::state::Outcome;
use crate::experiment::train as records;
use crate::experiment::*;
use crate::passes::optimiser::{OPTIMISERS, OptimiserInfo};
use crate::setting::{SettingValue, Settings};
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, print_float};

const METRICS: [(&str, Metric); 2] = [("dsc", Metric::Dsc), ("iou", Metric::Iou)];

/// The optimiser that is given, or the default.
///
/// # Errors
/// Reported.
pub(super) fn read_optim(reader: &mut Reader) -> Outcome<Optimiser> {
    let (expr, given) = reader.expression(records::OPTIM)?;
    let (info, settings) = optimiser(reader, &expr)?;
    let texts = info.settings.iter().filter_map(|setting| {
        let value = match settings.0.get(setting.name)? {
            SettingValue::Bool(value) => value.to_string(),
            _ => print_float(settings.float(setting.name)),
        };
        Some(format!("{} = {value}", setting.name))
    });
    let text = format!("{}({})", info.name, texts.collect::<Vec<_>>().join(", "));
    reader.note(records::OPTIM.name, text, given.then_some(&expr));
    Ok((info.make)(&settings))
}

/// The optimiser that an expression names, and all its settings.
fn optimiser(reader: &mut Reader, expr: &Expr) -> Outcome<(&'static OptimiserInfo, Settings)> {
    let (callee, arguments) = match &expr.kind {
        ExprKind::Call(callee, arguments) => (callee.as_ref(), arguments.as_slice()),
        _ => (expr, &[][..]),
    };
    let word = print_expression(callee);
    let Some(info) = OPTIMISERS.iter().find(|info| info.name == word) else {
        let known: Vec<_> = OPTIMISERS.iter().map(|info| info.name).collect();
        bail!(
            reader.elaborator, "train::optim" at callee.span, "there is no optimiser called `{word}`";
            suggest: suggest(&word, &known)
        );
    };
    let called = Callee {
        name: info.name,
        declared: info.settings,
        by_position: false,
        defined: None,
    };
    let frame = reader.frame;
    let given = reader
        .elaborator
        .settings(&called, arguments, expr.span, frame)?;
    let settings = given.filled(info.settings);
    if settings.bool("nesterov")
        && settings.float("momentum") == 0.0
        && let Some(argument) = arguments.iter().find(|a| is_named(a, "nesterov"))
    {
        bail!(
            reader.elaborator, "train::optim" at argument.value.span, "`nesterov` has no effect without a momentum";
            help: "give one, for example `momentum = 0.9`, or leave `nesterov` out"
        );
    }
    Ok((info, settings))
}

fn is_named(argument: &Argument, name: &str) -> bool {
    argument.name.as_ref().is_some_and(|word| word.name == name)
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
            reader.elaborator.fail(error!(
                "train::keep" at expr.span, "`keep` says which checkpoint is kept";
                help: "write `best(dsc)`, `best(iou)` or `last`"
            ));
            Keep::Last
        }
    }
}
