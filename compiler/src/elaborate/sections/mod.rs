//! The sections `data`, `train`, `predict` and `sweep`, with the settings of the command line laid
//! over them, to plain values that remember where they came from.

mod data;
mod optim;
mod overlay;
mod reader;
mod start;
mod train;

use data::{DATA, PHANTOM};
use overlay::overlaid;
use reader::{Reader, key_text};
use train::read_train;

pub use start::print_start;

use std::collections::BTreeMap;

use super::project::{Module, Project};
use super::state::{Elaborator, Frame, Outcome, Size};
use super::study::Study;
use crate::diagnostic::{Diagnostic, suggest};
use crate::experiment::*;
use crate::syntax::ast::*;
use crate::syntax::print::print_expression;
use crate::syntax::span::{Sources, World};

/// The settings of `train` with their defaults in the language's syntax.
const TRAIN: [(&str, &str); 12] = [
    ("model", ""),
    ("data", ""),
    ("rewrite", "none"),
    ("start", "none"),
    ("loss", "bce + dice"),
    ("optim", "adam()"),
    ("batch", "8"),
    ("epochs", "20"),
    ("seed", "1"),
    ("metrics", "[dsc, iou]"),
    ("keep", "best(dsc)"),
    ("save_every", "0"),
];

/// The settings of `predict`.
const PREDICT: [(&str, &str); 3] = [("batch", "8"), ("threshold", "0.5"), ("size", "auto")];

/// Resolves the sections of a project: which model with which settings, on which data, how.
///
/// # Errors
/// Everything that is wrong in the sections and in `-s`.
pub fn study(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
) -> Result<Study, Vec<Diagnostic>> {
    let mut elaborator = Elaborator::new(sources, world, &project.modules);
    elaborator.found.errors.clone_from(&project.errors);
    let main = project.main();
    let frame = Frame::of(main);
    check_settings(&mut elaborator, project);
    for module in &project.modules {
        for item in &module.tree.items {
            if let Item::Circuit(circuit) = item {
                let _: Outcome<_> =
                    elaborator.circuit(&circuit.steps, circuit.name.span, &Frame::of(module));
            }
        }
    }
    let names = super::names::all(&mut elaborator);
    let found = read_train(&mut elaborator, project, &frame);
    let (predict, mut more) = read_predict(&mut elaborator, project, &frame);
    let sweep = read_sweep(&mut elaborator, project, &frame);
    let (Ok(found), true) = (found, elaborator.found.errors.is_empty()) else {
        look_at_models(&mut elaborator, main);
        return Err(elaborator.found.errors);
    };
    let mut resolved = found.resolved;
    resolved.append(&mut more);
    Ok(Study {
        model_module: found.model_module,
        model: found.model,
        given: found.given,
        main_module: project.main_index(),
        names,
        rules: found.rules,
        has_train: main.section("train").is_some(),
        train: found.train,
        loss: found.loss,
        data: found.data,
        predict,
        sweep,
        resolved,
        warnings: elaborator.found.warnings,
    })
}

/// Reports what is wrong in the main file's models as well, where the sections are wrong already:
/// with default settings and at a default size, which need not be the one that is meant.
fn look_at_models(elaborator: &mut Elaborator, main: &Module) {
    let of_size =
        |error: &Diagnostic| matches!(error.code.as_str(), "input::where" | "input::size");
    for model in main.models() {
        if model
            .parameters
            .iter()
            .all(|parameter| parameter.default.is_some())
        {
            elaborator.network.open = true;
            let mut frame = Frame::of(main);
            let _: Outcome<_> =
                elaborator.model(model, BTreeMap::new(), &mut frame, Size::default());
        }
    }
    elaborator.found.errors.retain(|error| !of_size(error));
}

/// The first words of settings: sections, `model`, names of data and of `let`s.
fn check_settings(elaborator: &mut Elaborator, project: &Project) {
    let main = project.main();
    let mut known = vec!["train", "data", "model", "predict", "sweep"];
    known.extend(main.data().map(|data| data.name.name.as_str()));
    for entry in &project.settings {
        let lets = main.lets.contains_key(&entry.key[0].name) && entry.key.len() == 1;
        let section = known.contains(&entry.key[0].name.as_str()) && entry.key.len() > 1;
        if lets || section {
            continue;
        }
        let text = key_text(entry);
        let all: Vec<String> = known
            .iter()
            .flat_map(|section| {
                let keys: Vec<&str> = match *section {
                    "train" => TRAIN.iter().map(|(key, _)| *key).collect(),
                    "predict" => PREDICT.iter().map(|(key, _)| *key).collect(),
                    "model" | "sweep" => Vec::new(),
                    _ => DATA.iter().chain(&PHANTOM).copied().collect(),
                };
                keys.into_iter().map(move |key| format!("{section}.{key}"))
            })
            .chain(main.lets.keys().cloned())
            .collect();
        let span = entry.key[0].span.to(entry.key[entry.key.len() - 1].span);
        let message = format!("there is no setting `{text}`");
        let mut error = Diagnostic::error("setting::unknown", message).at(span, "");
        let names: Vec<_> = all.iter().map(String::as_str).collect();
        let tail = format!(".{text}");
        let same = names.iter().find(|name| name.ends_with(&tail));
        error.help = match same {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None => match crate::diagnostic::nearest(&text, names.iter().copied()) {
                Some(name) => Some(format!("did you mean `{name}`?")),
                None => suggest(&entry.key[0].name, &known),
            },
        };
        elaborator.fail(error);
    }
}

fn read_predict<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    frame: &Frame<'a>,
) -> (PredictConfig, Vec<Resolved>) {
    let section = project.main().section("predict");
    let entries = section.map_or(&[][..], |section| &section.entries);
    let entries = overlaid(elaborator, project, entries, &["predict"]);
    let mut reader = Reader::new(elaborator, frame, "predict".to_owned(), entries);
    let batch = reader.int("batch", 8, 1, 1 << 16) as usize;
    let threshold = reader.float("threshold", 0.5);
    if let Some(expr) = reader.given("threshold")
        && !(0.0..=1.0).contains(&threshold)
    {
        let error = Diagnostic::error("setting::range", "`threshold` must lie between 0 and 1");
        reader
            .elaborator
            .fail(error.at(expr.span, format!("this is {threshold}")));
    }
    let size = read_predict_size(&mut reader);
    let resolved = reader.finish(&PREDICT.map(|(key, _)| key));
    let config = PredictConfig {
        batch,
        threshold,
        size,
    };
    (config, resolved)
}

/// `[rows, columns]`, or one of the words `auto` and `native`.
fn read_predict_size(reader: &mut Reader) -> PredictSize {
    let is_list = |expr: &Expr| matches!(expr.kind, ExprKind::List(_));
    if reader.given("size").as_ref().is_some_and(is_list) {
        return PredictSize::Given(data::read_size(reader));
    }
    match reader.word("size", &["auto", "native"], "auto").as_str() {
        "native" => PredictSize::Native,
        _ => PredictSize::Data,
    }
}

fn read_sweep<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    _frame: &Frame<'a>,
) -> Vec<SweepAxis> {
    let section = project.main().section("sweep");
    let entries = section.map_or(&[][..], |section| &section.entries);
    let entries = overlaid(elaborator, project, entries, &["sweep"]);
    let mut axes = Vec::new();
    for entry in entries {
        let items = match &entry.value.kind {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        axes.push(SweepAxis {
            key: key_text(&entry),
            values: items.iter().map(print_expression).collect(),
        });
    }
    axes
}
