//! The parts of the `train` section that come from tables: optimiser, metrics, checkpoint.

use super::reader::Reader;
use crate::diagnostic::{bail, error, suggest};
use crate::elaborate::arguments::Callee;
use crate::elaborate::state::Outcome;
use crate::experiment::*;
use crate::passes::optimiser::{OPTIMISERS, OptimiserInfo};
use crate::setting::{SettingValue, Settings};
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, print_float};

const METRICS: [(&str, Metric); 2] = [("dsc", Metric::Dsc), ("iou", Metric::Iou)];

pub(super) fn read_optim(reader: &mut Reader) -> Optimiser {
    let given = reader.given("optim");
    let found = given.as_ref().map(|expr| optimiser(reader, expr));
    let default = || (&OPTIMISERS[0], Settings::default());
    let (info, settings) = found.and_then(Outcome::ok).unwrap_or_else(default);
    let settings = settings.filled(info.settings);
    let texts = info.settings.iter().filter_map(|setting| {
        let value = match settings.0.get(setting.name)? {
            SettingValue::Bool(value) => value.to_string(),
            _ => print_float(settings.float(setting.name)),
        };
        Some(format!("{} = {value}", setting.name))
    });
    let text = format!("{}({})", info.name, texts.collect::<Vec<_>>().join(", "));
    reader.note("optim", text, given.as_ref());
    (info.make)(&settings)
}

/// The optimiser that an expression names, and the settings that it gives.
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
    let callee = Callee {
        name: info.name,
        declared: info.settings,
        by_position: false,
        defined: None,
    };
    let settings = reader
        .elaborator
        .settings(&callee, arguments, expr.span, reader.frame)?;
    Ok((info, settings))
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
