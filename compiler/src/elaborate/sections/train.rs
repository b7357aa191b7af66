//! The `train` section.

use std::collections::BTreeMap;

use super::data::read_data;
use super::optim::{read_keep, read_metrics, read_optim};
use super::overlay::overlaid;
use super::reader::Reader;
use super::start::read_start;
use crate::diagnostic::{Diagnostic, bail, suggest};
use crate::elaborate::arguments::Callee;
use crate::elaborate::project::{Module, Project, name_of};
use crate::elaborate::rules;
use crate::elaborate::state::{Elaborator, Frame, Local, Outcome, Place, PlacedRule, Reported};
use crate::elaborate::value::Value;
use crate::experiment::train as records;
use crate::experiment::*;
use crate::setting::{Limits, Setting};
use crate::syntax::ast::*;
use crate::syntax::print::print_expression;
use crate::syntax::span::Span;

/// The `train` section and the items it names, resolved.
pub(super) struct Found {
    pub(super) model_module: usize,
    pub(super) model: String,
    pub(super) given: BTreeMap<String, Value>,
    pub(super) rules: Vec<PlacedRule>,
    pub(super) train: TrainConfig,
    pub(super) loss: Option<Span>,
    pub(super) data: Option<DataSettings>,
    pub(super) resolved: Vec<Resolved>,
}

pub(super) fn read_train<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    frame: &Frame<'a>,
) -> Outcome<Found> {
    let main = project.main();
    let section = main.section("train");
    let entries = section.map_or(&[][..], |section| &section.entries);
    let entries = overlaid(elaborator, project, entries, &["train", "model"]);
    let mut reader = Reader::new(elaborator, frame, "train".to_owned(), entries);
    let model = read_model(&mut reader, project, section.map(|s| s.kind.span));
    let data = read_data_name(&mut reader, main);
    let rules = read_rewrites(&mut reader);
    let start = read_start(&mut reader);
    let place = reader.value(records::LOSS.name).map(|expr| expr.span);
    // Every setting is read before the first failure ends the section, so that all errors are reported.
    let loss = read_loss(&mut reader);
    let optim = read_optim(&mut reader);
    let batch = reader.read(records::BATCH);
    let epochs = reader.read(records::EPOCHS);
    let seed = reader.read(records::SEED);
    let metrics = read_metrics(&mut reader);
    let keep = read_keep(&mut reader, metrics.as_deref().unwrap_or_default());
    let save_every = reader.read(records::SAVE_EVERY);
    reader.known = records::SETTINGS.map(|setting| setting.name).to_vec();
    let mut resolved = reader.finish();
    let data = data.map(|data| read_data(elaborator, project, data, frame));
    let data = data.map(|(data, mut more)| {
        resolved.append(&mut more);
        data
    });
    let (model_module, model, given) = model?;
    let train = TrainConfig {
        start,
        loss: loss?,
        optim: optim?,
        batch: batch?,
        epochs: epochs?,
        seed: seed?,
        metrics: metrics?,
        keep,
        save_every: save_every?,
    };
    Ok(Found {
        model_module,
        model,
        given,
        rules,
        train,
        loss: place,
        data,
        resolved,
    })
}

type Model = (usize, String, BTreeMap<String, Value>);

fn read_model(reader: &mut Reader, project: &Project, section: Option<Span>) -> Outcome<Model> {
    let main = project.main();
    let given = reader.given("model");
    let Some(expr) = given else {
        // Settings of the model without a `model` entry reach the last model of the file.
        if let Some(model) = main.models().last() {
            let overrides: Vec<_> = reader
                .entries
                .iter()
                .zip(reader.used.iter_mut())
                .filter(|(entry, _)| entry.key.len() == 2 && entry.key[0].name == "model")
                .map(|(entry, used)| {
                    *used = true;
                    Argument {
                        name: Some(entry.key[1].clone()),
                        value: entry.value.clone(),
                    }
                })
                .collect();
            let span = model.name.span;
            let values = bind(reader, model, span, &overrides, None)?;
            reader.note("model", print_call(&model.name.name, &values), None);
            return Ok((project.main_index(), model.name.name.clone(), values));
        }
        let error = match section {
            Some(span) => Diagnostic::error("train::model", "`train` names no model").at(span, ""),
            None => {
                let name = reader.elaborator.texts.sources.name(main.file);
                Diagnostic::error("train::model", format!("`{name}` has no model"))
            }
        };
        let error = error.help("write a `model`, or import one and set `train { model = ... }`");
        return Err(reader.elaborator.fail(error));
    };
    let (callee, arguments) = match &expr.kind {
        ExprKind::Call(callee, arguments) => (callee.as_ref(), arguments.as_slice()),
        _ => (&expr, &[][..]),
    };
    let of = |item: &Item| -> bool { matches!(item, Item::Model(_)) };
    let (index, word, written) = match &callee.kind {
        ExprKind::Name(name) => {
            let span = callee.span;
            let ident = Ident {
                name: name.clone(),
                span,
            };
            (project.main_index(), ident, name.clone())
        }
        ExprKind::Member(alias, word) => {
            reader.elaborator.imported(alias, word, reader.frame)?;
            let ExprKind::Name(alias) = &alias.kind else {
                return Err(Reported);
            };
            let index = main.imports.get(alias).copied().ok_or(Reported)?;
            (index, word.clone(), format!("{alias}.{}", word.name))
        }
        _ => {
            let error = Diagnostic::error("train::model", "`model` names a model");
            let error = error
                .at(expr.span, "")
                .help("for example `model = UNet(base = 32)`");
            return Err(reader.elaborator.fail(error));
        }
    };
    let module = &project.modules[index];
    let Some(model) = module.model(&word.name) else {
        let message = format!("there is no model called `{written}`");
        let mut error = Diagnostic::error("name::unknown", message).at(callee.span, "");
        let known = module
            .tree
            .items
            .iter()
            .filter(|item| of(item))
            .filter_map(name_of);
        let known: Vec<_> = known.map(|ident| ident.name.as_str()).collect();
        error.help = suggest(&word.name, &known);
        return Err(reader.elaborator.fail(error));
    };
    let values = bind(reader, model, callee.span, arguments, Some(module))?;
    let text = print_call(&written, &values);
    reader.note("model", text, Some(&expr));
    Ok((index, word.name, values))
}

/// All settings of a model, defaults included; `home` is the file whose `let`s defaults may use.
fn bind(
    reader: &mut Reader,
    model: &Function,
    span: Span,
    arguments: &[Argument],
    home: Option<&Module>,
) -> Outcome<BTreeMap<String, Value>> {
    let place = Place {
        exact: None,
        base: String::new(),
    };
    let elaborator = &mut *reader.elaborator;
    let given = elaborator.bind(model, span, arguments, reader.frame, &place)?;
    let mut inner = Frame::of(home.unwrap_or(reader.frame.module));
    elaborator.fill(model, given, &mut inner)?;
    let values = inner
        .locals
        .into_iter()
        .filter_map(|(name, local)| match local {
            Local::Plain(value) => Some((name, value)),
            Local::Family(_) => None,
        });
    Ok(values.collect())
}

fn print_call(name: &str, values: &BTreeMap<String, Value>) -> String {
    let arguments = values
        .iter()
        .map(|(name, value)| format!("{name} = {}", value.print()));
    format!("{name}({})", arguments.collect::<Vec<_>>().join(", "))
}

fn read_data_name<'a>(reader: &mut Reader, main: &'a Module) -> Option<&'a Data> {
    let given = reader.given("data");
    let Some(expr) = given else {
        let only = main.data().next().filter(|_| main.data().count() == 1)?;
        reader.note("data", only.name.name.clone(), None);
        return Some(only);
    };
    let name = match &expr.kind {
        ExprKind::Name(name) => name.clone(),
        _ => print_expression(&expr),
    };
    let found = main.data().find(|data| data.name.name == name);
    if found.is_none() {
        let message = format!("there is no data called `{name}`");
        let mut error = Diagnostic::error("train::data", message).at(expr.span, "");
        let known: Vec<_> = main.data().map(|data| data.name.name.as_str()).collect();
        error.help = suggest(&name, &known)
            .or_else(|| Some(format!("write `data {name} = phantom {{ }}` or kits19")));
        reader.elaborator.fail(error);
    }
    reader.note("data", name, Some(&expr));
    found
}

fn read_rewrites(reader: &mut Reader) -> Vec<PlacedRule> {
    let given = reader.given("rewrite");
    let text = given.as_ref().map_or("none".to_owned(), print_expression);
    reader.note("rewrite", text, given.as_ref());
    let found = given.map(|expr| rules::rewrites(reader.elaborator, &expr, reader.frame));
    let found = found.and_then(Outcome::ok).unwrap_or_default();
    for item in &reader.frame.module.tree.items {
        let Item::Rewrite(rewrite) = item else {
            continue;
        };
        let name = &rewrite.name;
        if found.iter().any(|(_, used)| used.name == *name) {
            continue;
        }
        let message = format!("the rewrite `{}` is not applied", name.name);
        let warning = Diagnostic::warning("rule::unused", message).at(name.span, "");
        let help = format!("set `rewrite = {}` in `train`", name.name);
        reader.elaborator.warn(warning.help(help));
    }
    let mut all = Vec::new();
    for (module, rewrite) in found {
        all.extend(reader.elaborator.rewrite(rewrite, &Frame::of(module)));
    }
    all
}

fn read_loss(reader: &mut Reader) -> Outcome<Vec<(f64, Loss)>> {
    let (expr, given) = reader.expression(records::LOSS)?;
    let mut terms = Vec::new();
    loss_terms(reader, &expr, &mut terms)?;
    reader.note(
        records::LOSS.name,
        print_expression(&expr),
        given.then_some(&expr),
    );
    Ok(terms)
}

fn loss_terms(reader: &mut Reader, expr: &Expr, terms: &mut Vec<(f64, Loss)>) -> Outcome<()> {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Add, left, right) => {
            loss_terms(reader, left, terms)?;
            loss_terms(reader, right, terms)
        }
        ExprKind::Binary(BinaryOp::Multiply, weight, term) => {
            let factor = reader.number(weight, "loss")?;
            if let Some(refusal) = Limits::ANY.refusal(factor) {
                bail!(
                    reader.elaborator, "setting::range" at weight.span, "a weight of the loss must {refusal}";
                    here: "this is {factor:e}"
                );
            }
            let loss = loss_name(reader, term)?;
            terms.push((factor, loss));
            Ok(())
        }
        _ => {
            let loss = loss_name(reader, expr)?;
            terms.push((1.0, loss));
            Ok(())
        }
    }
}

fn loss_name(reader: &mut Reader, expr: &Expr) -> Outcome<Loss> {
    let (callee, arguments) = match &expr.kind {
        ExprKind::Call(callee, arguments) => (callee.as_ref(), arguments.as_slice()),
        _ => (expr, &[][..]),
    };
    let ExprKind::Name(name) = &callee.kind else {
        bail!(
            reader.elaborator, "train::loss" at expr.span, "a loss is a sum of named terms";
            help: "for example `bce + 0.5 * dice`"
        );
    };
    let Some((_, loss)) = Loss::ALL.iter().find(|(known, _)| known == name) else {
        let known: Vec<_> = Loss::ALL.iter().map(|(name, _)| *name).collect();
        bail!(
            reader.elaborator, "train::loss" at callee.span, "there is no loss called `{name}`";
            suggest: suggest(name, &known)
        );
    };
    let none: Callee<Setting> = Callee {
        name,
        declared: &[],
        by_position: false,
        defined: None,
    };
    reader
        .elaborator
        .settings(&none, arguments, expr.span, reader.frame)?;
    Ok(*loss)
}
