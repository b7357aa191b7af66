//! The parts of the `train` section that come from tables: optimiser, metrics, checkpoint.

use super::reader::Reader;
use crate::diagnostic::{bail, error, suggest};
use crate::elaborate::arguments::Callee;
use crate::elaborate::state::Outcome;
use crate::experiment::train as records;
use crate::experiment::*;
use crate::measures::{MEASURES, Measure};
use crate::passes::optimiser::{OPTIMISERS, OptimiserInfo};
use crate::setting::{SettingValue, Settings};
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, print_float};

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

/// The words of all measures.
fn measure_words() -> Vec<(&'static str, &'static Measure)> {
    let measures = MEASURES.iter();
    measures.map(|measure| (measure.name, measure)).collect()
}

/// The measures of a run.
///
/// # Errors
/// Reported.
pub(super) fn read_metrics(reader: &mut Reader) -> Outcome<Vec<&'static Measure>> {
    let (expr, given) = reader.expression(records::METRICS)?;
    let items = match &expr.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&expr),
    };
    if items.is_empty() {
        reader.elaborator.fail(error!(
            "train::metrics" at expr.span, "a run needs a measure";
            here: "this list is empty";
            help: "for example `metrics = [dsc, iou]`"
        ));
    }
    let mut metrics: Vec<&'static Measure> = Vec::new();
    for item in items {
        let words = measure_words();
        let measure = reader
            .elaborator
            .word("metrics", item, &words, reader.frame);
        let Ok(measure) = measure else { continue };
        if metrics.contains(&measure) {
            reader.elaborator.fail(error!(
                "train::metrics" at item.span, "`{}` is named twice", measure.name;
                here: "second time"
            ));
        } else {
            metrics.push(measure);
        }
    }
    let text = print_expression(&expr);
    reader.note(records::METRICS.name, text, given.then_some(&expr));
    Ok(metrics)
}

/// Which checkpoint is kept. The measure that decides it must be one of `metrics`.
pub(super) fn read_keep(reader: &mut Reader, metrics: &[&'static Measure]) -> Keep {
    let Some(expr) = reader.given("keep") else {
        let Some(first) = metrics.first() else {
            return Keep::Last;
        };
        reader.note("keep", format!("best({})", first.name), None);
        return Keep::Best(first);
    };
    reader.note("keep", print_expression(&expr), Some(&expr));
    let name = |expr: &Expr| match &expr.kind {
        ExprKind::Name(name) => name.clone(),
        _ => String::new(),
    };
    match &expr.kind {
        ExprKind::Call(callee, arguments) if name(callee) == "best" && arguments.len() == 1 => {
            let word = &arguments[0].value;
            let words = measure_words();
            let measure = reader.elaborator.word("keep", word, &words, reader.frame);
            let Ok(measure) = measure else {
                return Keep::Last;
            };
            if !metrics.is_empty() && !metrics.contains(&measure) {
                let name = measure.name;
                reader.elaborator.fail(error!(
                    "train::keep" at word.span, "`keep` asks for `{}`, which `metrics` does not name", name;
                    help: "add `{}` to `metrics`", name
                ));
            }
            Keep::Best(measure)
        }
        _ if name(&expr) == "last" => Keep::Last,
        _ => {
            reader.elaborator.fail(error!(
                "train::keep" at expr.span, "`keep` says which checkpoint is kept";
                help: "write `best(MEASURE)` with one of `metrics`, or `last`"
            ));
            Keep::Last
        }
    }
}
