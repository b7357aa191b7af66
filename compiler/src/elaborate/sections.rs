//! The sections `data`, `train`, `predict` and `sweep`, with the settings of the command line laid
//! over them, to plain values that remember where they came from.

use std::collections::BTreeMap;

use super::evaluate::{Elaborator, Frame, Local, Outcome, Reported};
use super::load::{Module, Project, name_of};
use super::value::Value;
use super::{PlacedRule, Study, rules};
use crate::diagnostic::{Diagnostic, suggest};
use crate::experiment::*;
use crate::syntax::ast::*;
use crate::syntax::print::{print_expression, print_float};
use crate::syntax::span::{Sources, Span, World};

/// The settings of `train` with their defaults in the language's syntax.
pub(super) const TRAIN: [(&str, &str); 11] = [
    ("model", ""),
    ("data", ""),
    ("rewrite", "none"),
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
pub(super) const PREDICT: [(&str, &str); 2] = [("batch", "8"), ("threshold", "0.5")];

/// The settings that every kind of data has.
const DATA: [&str; 20] = [
    "task",
    "window",
    "size",
    "train",
    "test",
    "mode",
    "mean",
    "median",
    "select",
    "min_pixels",
    "crop",
    "pad",
    "kidney_mask",
    "cache",
    "augment.flip",
    "augment.rotate",
    "augment.scale",
    "augment.gamma",
    "augment.noise",
    "root",
];

/// The settings that only generated data has.
const PHANTOM: [&str; 4] = ["seed", "slices", "pixels", "tumors"];

const METRICS: [(&str, Metric); 2] = [("dsc", Metric::Dsc), ("iou", Metric::Iou)];

/// Settings of one section, the later ones over the earlier.
struct Reader<'r, 'a> {
    elaborator: &'r mut Elaborator<'a>,
    frame: &'r Frame<'a>,
    section: String,
    entries: Vec<Entry>,
    used: Vec<bool>,
    resolved: Vec<Resolved>,
}

impl<'r, 'a> Reader<'r, 'a> {
    fn new(
        elaborator: &'r mut Elaborator<'a>,
        frame: &'r Frame<'a>,
        section: String,
        entries: Vec<Entry>,
    ) -> Reader<'r, 'a> {
        let used = vec![false; entries.len()];
        Reader {
            elaborator,
            frame,
            section,
            entries,
            used,
            resolved: Vec::new(),
        }
    }

    /// The expression of a setting, if it is given.
    fn given(&mut self, key: &str) -> Option<Expr> {
        let index = self
            .entries
            .iter()
            .rposition(|entry| key_text(entry) == key)?;
        self.used[index] = true;
        Some(self.entries[index].value.clone())
    }

    fn note(&mut self, key: &str, value: String, from: Option<&Expr>) {
        let sources = self.elaborator.sources;
        let mut origins = match from {
            None => vec!["default".to_owned()],
            Some(expr) => vec![origin(sources, expr.span)],
        };
        if let Some(ExprKind::Call(_, arguments)) = from.map(|expr| &expr.kind) {
            let values = arguments.iter().map(|argument| argument.value.span);
            let settings = values.filter(|span| sources.name(span.file).starts_with('<'));
            origins.extend(settings.map(|span| origin(sources, span)));
            origins.dedup();
        }
        let origin = origins.join(", ");
        self.resolved.push(Resolved {
            section: self.section.clone(),
            key: key.to_owned(),
            value,
            origin,
        });
    }

    fn int(&mut self, key: &str, default: i64, least: i64, most: i64) -> i64 {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.int(expr, self.frame)?;
            if (least..=most).contains(&value) {
                return Ok(value);
            }
            let message = format!("`{key}` must lie between {least} and {most}");
            let error = Diagnostic::error("setting::range", message);
            Err(self
                .elaborator
                .fail(error.at(expr.span, format!("this is {value}"))))
        });
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, value.to_string(), given.as_ref());
        value
    }

    fn float(&mut self, key: &str, default: f64) -> f64 {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| self.number(expr, key));
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, print_float(value), given.as_ref());
        value
    }

    fn number(&mut self, expr: &Expr, key: &str) -> Outcome<f64> {
        let value = self.elaborator.setting(expr, self.frame)?;
        value.as_float().ok_or_else(|| {
            let wanted = format!("a number for `{key}`");
            self.elaborator.mismatch(&wanted, &value, expr, self.frame)
        })
    }

    fn bool(&mut self, key: &str, default: bool) -> bool {
        let given = self.given(key);
        let value = given
            .as_ref()
            .map(|expr| self.elaborator.bool(expr, self.frame));
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        self.note(key, value.to_string(), given.as_ref());
        value
    }

    fn word(&mut self, key: &str, words: &[&str], default: &str) -> String {
        let given = self.given(key);
        let pairs: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
        let value = given
            .as_ref()
            .map(|expr| self.elaborator.word(key, expr, &pairs, self.frame));
        let value = value.and_then(Outcome::ok).unwrap_or(default).to_owned();
        self.note(key, value.clone(), given.as_ref());
        value
    }

    /// A quoted text or a word.
    fn text(&mut self, key: &str, default: &str) -> String {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            // On the command line a path stands without quotes, and `a/b` is no division.
            let sources = self.elaborator.sources;
            let plain = matches!(expr.kind, ExprKind::Binary(..) | ExprKind::Member(..));
            if plain && sources.name(expr.span.file).starts_with('<') {
                return Ok(Value::Str(sources.slice(expr.span).into()));
            }
            let value = self.elaborator.setting(expr, self.frame)?;
            match value {
                Value::Str(_) | Value::Word(_) => Ok(value),
                value => Err(self.elaborator.mismatch("a text", &value, expr, self.frame)),
            }
        });
        let value = value
            .and_then(Outcome::ok)
            .unwrap_or(Value::Word(default.into()));
        self.note(key, value.print(), given.as_ref());
        match value {
            Value::Str(text) => text.to_string(),
            Value::Word(word) => word,
            _ => default.to_owned(),
        }
    }

    fn pair(&mut self, key: &str, default: [f64; 2]) -> [f64; 2] {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.setting(expr, self.frame)?;
            let numbers: Option<Vec<f64>> = match &value {
                Value::List(list) => list.items().iter().map(Value::as_float).collect(),
                _ => None,
            };
            match numbers.as_deref() {
                Some(&[low, high]) => Ok([low, high]),
                _ => {
                    let wanted = format!("two numbers in brackets for `{key}`");
                    Err(self.elaborator.mismatch(&wanted, &value, expr, self.frame))
                }
            }
        });
        let value = value.and_then(Outcome::ok).unwrap_or(default);
        let texts = value.map(|x| match x.fract() == 0.0 && x.abs() < 1e6 {
            true => format!("{x}"),
            false => print_float(x),
        });
        self.note(key, format!("[{}]", texts.join(", ")), given.as_ref());
        value
    }

    /// Half-open ranges of case numbers, as the runtime reads them.
    fn cases(&mut self, key: &str, default: &str) -> String {
        let given = self.given(key);
        let value = given.as_ref().map(|expr| {
            let value = self.elaborator.setting(expr, self.frame)?;
            let parts = match &value {
                Value::List(list) => list.items(),
                one => std::slice::from_ref(one),
            };
            let mut texts = Vec::new();
            for part in parts {
                let (from, to) = match part {
                    Value::Range {
                        from,
                        to,
                        inclusive,
                    } => (*from, to.saturating_add(i64::from(*inclusive))),
                    Value::Int(one) => (*one, one.saturating_add(1)),
                    _ => {
                        let wanted = format!("case numbers such as `0..180` for `{key}`");
                        return Err(self.elaborator.mismatch(&wanted, &value, expr, self.frame));
                    }
                };
                if !(0 <= from && from <= to && to <= 100_000) {
                    let message = format!("`{from}..{to}` is no range of cases");
                    let error = Diagnostic::error("setting::range", message);
                    let error = error.at(expr.span, "");
                    return Err(self
                        .elaborator
                        .fail(error.help("cases are numbered 0 to 99999")));
                }
                texts.push(format!("{from}..{to}"));
            }
            Ok(texts)
        });
        let value = value
            .and_then(Outcome::ok)
            .unwrap_or_else(|| vec![default.to_owned()]);
        let shown = match value.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        self.note(key, shown, given.as_ref());
        value.join(", ")
    }

    /// Reports settings that nothing asked for.
    fn finish(self, known: &[&str]) -> Vec<Resolved> {
        for (entry, used) in self.entries.iter().zip(&self.used) {
            let text = key_text(entry);
            if *used || known.contains(&text.as_str()) {
                continue;
            }
            let first = entry.key.first().map_or(entry.span, |word| word.span);
            let span = entry.key.last().map_or(first, |word| first.to(word.span));
            let section = self.section.split(' ').next().unwrap_or("");
            let message = format!("`{section}` has no setting `{text}`");
            let mut error = Diagnostic::error("setting::unknown", message).at(span, "");
            error.help = suggest(&text, known);
            self.elaborator.fail(error);
        }
        self.resolved
    }
}

fn key_text(entry: &Entry) -> String {
    let words: Vec<_> = entry.key.iter().map(|word| word.name.as_str()).collect();
    words.join(".")
}

/// `file:line`, or the setting on the command line.
fn origin(sources: &Sources, span: Span) -> String {
    let name = sources.name(span.file);
    match name
        .strip_prefix("<")
        .and_then(|name| name.strip_suffix('>'))
    {
        Some(setting) => setting.to_owned(),
        None => format!("{name}:{}", sources.line_column(span.file, span.start).0),
    }
}

/// Reads every section of the main file.
pub(super) fn study(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
) -> Result<Study, Vec<Diagnostic>> {
    let mut elaborator = Elaborator::new(sources, world, &project.modules);
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
    let found = read_train(&mut elaborator, project, &frame);
    let (predict, mut more) = read_predict(&mut elaborator, project, &frame);
    let sweep = read_sweep(&mut elaborator, project, &frame);
    let (Ok(found), true) = (found, elaborator.errors.is_empty()) else {
        return Err(elaborator.errors);
    };
    let mut resolved = found.resolved;
    resolved.append(&mut more);
    Ok(Study {
        model_module: found.model_module,
        model: found.model,
        given: found.given,
        rules: found.rules,
        has_train: main.section("train").is_some(),
        train: found.train,
        data: found.data,
        predict,
        sweep,
        resolved,
        warnings: elaborator.warnings,
    })
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

/// The entries of a section with the settings of the command line laid over them. `heads` are the
/// first words by which the command line names the section; `keep_head` leaves that word in place.
fn overlaid(
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
    let default = TRAIN.iter().find(|(name, _)| *name == key[0].name);
    if let ([outer, inner], Some((_, "adam()"))) = (key, default) {
        let name = |name: &str| Expr {
            kind: ExprKind::Name(name.to_owned()),
            span: setting.value.span,
        };
        let argument = Argument {
            name: Some(inner.clone()),
            value: setting.value.clone(),
        };
        entries.push(Entry {
            key: vec![outer.clone()],
            value: Expr {
                kind: ExprKind::Call(Box::new(name("adam")), vec![argument]),
                span: setting.value.span,
            },
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

/// What the `train` section and what it names come to.
struct Found {
    model_module: usize,
    model: String,
    given: BTreeMap<String, Value>,
    rules: Vec<PlacedRule>,
    train: TrainConfig,
    data: Option<DataConfig>,
    resolved: Vec<Resolved>,
}

fn read_train<'a>(
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
    let train = TrainConfig {
        loss: read_loss(&mut reader),
        optim: read_optim(&mut reader),
        batch: reader.int("batch", 8, 1, 1 << 16) as usize,
        epochs: reader.int("epochs", 20, 1, 1_000_000) as u64,
        seed: reader.int("seed", 1, 0, i64::MAX) as u64,
        metrics: read_metrics(&mut reader),
        keep: read_keep(&mut reader),
        save_every: reader.int("save_every", 0, 0, i64::MAX) as u64,
    };
    let known: Vec<_> = TRAIN.iter().map(|(key, _)| *key).collect();
    let mut resolved = reader.finish(&known);
    let data = data.map(|data| read_data(elaborator, project, data, frame));
    let data = data.map(|(data, mut more)| {
        resolved.append(&mut more);
        data
    });
    let (model_module, model, given) = model?;
    Ok(Found {
        model_module,
        model,
        given,
        rules,
        train,
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
                let name = reader.elaborator.sources.name(main.file);
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
    let place = super::evaluate::Place {
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
    let Some(expr) = reader.given("rewrite") else {
        reader.note("rewrite", "none".to_owned(), None);
        return Vec::new();
    };
    reader.note("rewrite", print_expression(&expr), Some(&expr));
    let found = rules::rewrites(reader.elaborator, &expr, reader.frame);
    let mut all = Vec::new();
    for (module, rewrite) in found.unwrap_or_default() {
        all.extend(reader.elaborator.rewrite(rewrite, &Frame::of(module)));
    }
    all
}

fn read_loss(reader: &mut Reader) -> Vec<(f64, Loss)> {
    let Some(expr) = reader.given("loss") else {
        reader.note("loss", "bce + dice".to_owned(), None);
        return vec![(1.0, Loss::Bce), (1.0, Loss::Dice)];
    };
    let mut terms = Vec::new();
    let _: Outcome<()> = loss_terms(reader, &expr, &mut terms);
    reader.note("loss", print_expression(&expr), Some(&expr));
    terms
}

fn loss_terms(reader: &mut Reader, expr: &Expr, terms: &mut Vec<(f64, Loss)>) -> Outcome<()> {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Add, left, right) => {
            loss_terms(reader, left, terms)?;
            loss_terms(reader, right, terms)
        }
        ExprKind::Binary(BinaryOp::Multiply, weight, term) => {
            let weight = reader.number(weight, "loss")?;
            let loss = loss_name(reader, term)?;
            terms.push((weight, loss));
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
    if let ExprKind::Name(name) = &expr.kind {
        if let Some((_, loss)) = Loss::ALL.iter().find(|(known, _)| known == name) {
            return Ok(*loss);
        }
        let message = format!("there is no loss called `{name}`");
        let mut error = Diagnostic::error("train::loss", message).at(expr.span, "");
        let known: Vec<_> = Loss::ALL.iter().map(|(name, _)| *name).collect();
        error.help = suggest(name, &known);
        return Err(reader.elaborator.fail(error));
    }
    let error = Diagnostic::error("train::loss", "a loss is a sum of named terms");
    let error = error
        .at(expr.span, "")
        .help("for example `bce + 0.5 * dice`");
    Err(reader.elaborator.fail(error))
}

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

fn read_optim(reader: &mut Reader) -> Optimiser {
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

fn read_metrics(reader: &mut Reader) -> Vec<Metric> {
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

fn read_keep(reader: &mut Reader) -> Keep {
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

fn read_data<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    data: &'a Data,
    frame: &Frame<'a>,
) -> (DataConfig, Vec<Resolved>) {
    let sources = [("kits19", Source::Kits19), ("phantom", Source::Phantom)];
    let source = sources.iter().find(|(name, _)| *name == data.source.name);
    if source.is_none() {
        let message = format!("there is no source of data called `{}`", data.source.name);
        let mut error = Diagnostic::error("data::source", message).at(data.source.span, "");
        error.help = suggest(&data.source.name, &sources.map(|(name, _)| name));
        elaborator.fail(error);
    }
    let layout = source.map_or(Source::Phantom, |(_, source)| *source);
    let name = &data.name.name;
    let entries = overlaid(elaborator, project, &data.entries, &["data", name]);
    let section = format!("data {name} = {}", data.source.name);
    let mut reader = Reader::new(elaborator, frame, section, entries);
    let generated = layout == Source::Phantom;
    let (train, test) = if generated {
        ("0..8", "8..10")
    } else {
        ("0..180", "180..200")
    };
    let root = match generated {
        true => None,
        false => Some(reader.text("root", "none")).filter(|root| root != "none"),
    };
    let config = DataConfig {
        layout,
        root,
        task: reader.word("task", &["kidney", "tumor"], "kidney"),
        window: reader.pair("window", [-30.0, 300.0]),
        size: read_size(&mut reader),
        train: reader.cases("train", train),
        test: reader.cases("test", test),
        mode: reader.word("mode", &["u8", "f32"], "u8"),
        mean: reader.int("mean", 3, 1, 31) as usize,
        median: reader.int("median", 7, 1, 31) as usize,
        select: reader.word("select", &["all", "any", "kidney", "tumor"], "any"),
        min_pixels: reader.int("min_pixels", 1, 0, 1 << 30) as usize,
        crop: reader.word("crop", &["component", "union"], "component"),
        pad: reader.int("pad", 0, 0, 8192) as usize,
        kidney_mask: reader.word("kidney_mask", &["union", "strict"], "union"),
        cache: reader.text("cache", "auto"),
        augment: Augment {
            flip: reader.bool("augment.flip", false),
            rotate: reader.float("augment.rotate", 0.0),
            scale: reader.float("augment.scale", 0.0),
            gamma: reader.float("augment.gamma", 0.0),
            noise: reader.float("augment.noise", 0.0),
        },
        phantom: match generated {
            true => Phantom {
                seed: reader.int("seed", 1, 0, i64::MAX) as u64,
                slices: reader.int("slices", 32, 1, 2048) as usize,
                pixels: reader.int("pixels", 192, 16, 1024) as usize,
                tumors: reader.float("tumors", 0.7),
            },
            false => Phantom {
                seed: 1,
                slices: 32,
                pixels: 192,
                tumors: 0.7,
            },
        },
    };
    let mut known = DATA.to_vec();
    if generated {
        known.extend(PHANTOM);
    }
    let resolved = reader.finish(&known);
    (config, resolved)
}

fn read_size(reader: &mut Reader) -> [usize; 2] {
    let default = [256.0, 256.0];
    let size = reader.pair("size", default);
    if size
        .iter()
        .all(|side| side.fract() == 0.0 && (1.0..=8192.0).contains(side))
    {
        return size.map(|side| side as usize);
    }
    if let Some(expr) = reader.given("size") {
        let error = Diagnostic::error("setting::range", "`size` is rows and columns, 1 to 8192");
        let label = format!("this is {} x {}", size[0], size[1]);
        reader.elaborator.fail(error.at(expr.span, label));
    }
    [256, 256]
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
    let resolved = reader.finish(&PREDICT.map(|(key, _)| key));
    (PredictConfig { batch, threshold }, resolved)
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
