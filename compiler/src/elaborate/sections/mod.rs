//! The sections `data`, `train`, `predict` and `sweep`, with the settings of the command line laid
//! over them, to plain values that remember where they came from.

mod data;
mod optim;
mod overlay;
mod reader;
mod start;
mod train;

use data::Names;
use overlay::overlaid;
use reader::{Reader, key_text};
use train::read_train;

pub use start::print_start;

use std::collections::BTreeMap;

use super::project::{Module, Project};
use super::state::{Elaborator, Frame, Outcome, Size};
use super::study::Study;
use crate::diagnostic::{Diagnostic, suggest};
use crate::experiment::train as records;
use crate::experiment::*;
use crate::syntax::ast::*;
use crate::syntax::span::{Sources, World};

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
    refuse_sweep(&mut elaborator, main);
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
    let mut known = vec!["train", "data", "model", "predict"];
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
                let keys = keys_of(section).into_iter();
                keys.map(move |key| format!("{section}.{key}"))
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

/// The names of a section's settings; `section` is its kind, or the name of a data section.
fn keys_of(section: &str) -> Vec<&'static str> {
    let mut names = Names::default();
    match section {
        "model" => {}
        "train" => names.0 = records::SETTINGS.map(|setting| setting.name).to_vec(),
        "predict" => PredictConfig::default().visit(&mut names),
        _ => {
            for source in Source::all() {
                DataSettings::of(source).visit(&mut names);
            }
        }
    }
    names.0
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
    let mut config = PredictConfig::default();
    config.visit(&mut reader);
    (config, reader.finish())
}

/// A `sweep` asks for several runs, which nothing starts yet.
fn refuse_sweep(elaborator: &mut Elaborator, main: &Module) {
    if let Some(section) = main.section("sweep") {
        let message = "`sweep` is not built yet, so this section would be ignored";
        let error = Diagnostic::error("sweep::unbuilt", message).at(section.kind.span, "");
        let help = "start one run per value, for example `hqcc run FILE -s train.seed=2`";
        elaborator.fail(error.help(help));
    }
}
