//! The `data` section.

use super::overlay::overlaid;
use super::reader::Reader;
use crate::diagnostic::{Diagnostic, error, suggest};
use crate::elaborate::project::Project;
use crate::elaborate::state::{Elaborator, Frame};
use crate::experiment::*;
use crate::setting::Setting;
use crate::syntax::ast::*;

/// Reads a data section.
pub(super) fn read_data<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    data: &'a Data,
    frame: &Frame<'a>,
) -> (DataSettings, Vec<Resolved>) {
    let name = &data.name.name;
    let entries = overlaid(elaborator, project, &data.entries, &["data", name]);
    let section = format!("data {name} = {}", data.source.name);
    let source = source(elaborator, &data.source);
    let mut reader = Reader::new(elaborator, frame, section, entries);
    let unknown = source.is_none();
    let mut settings =
        DataSettings::of(source.unwrap_or_else(|| Source::Phantom(Phantom::default())));
    settings.visit(&mut reader);
    for other in Source::all() {
        if other.word() != settings.source.word() {
            refuse_foreign(
                &mut reader,
                &data.name.name,
                &settings.source,
                other,
                unknown,
            );
        }
    }
    warn_of_overlap(&mut reader, &settings);
    warn_of_no_effect(&mut reader, &settings);
    let resolved = reader.finish();
    (settings, resolved)
}

/// The source that is named, with its defaults.
fn source(elaborator: &mut Elaborator, word: &Ident) -> Option<Source> {
    let found = Source::all()
        .into_iter()
        .find(|source| source.word() == word.name);
    if found.is_none() {
        let known = Source::all().map(|source| source.word());
        elaborator.fail(error!(
            "data::source" at word.span, "there is no source of data called `{}`", word.name;
            suggest: suggest(&word.name, &known)
        ));
    }
    found
}

/// Collects the names of settings.
#[derive(Default)]
pub(super) struct Names(pub(super) Vec<&'static str>);

impl Visitor for Names {
    fn visit<T: Typed>(&mut self, setting: &'static Setting, _: &mut T) {
        self.0.push(setting.name);
    }
}

/// Refuses settings that belong to another source. Where the source itself is unknown, they may be meant.
fn refuse_foreign(
    reader: &mut Reader,
    data: &str,
    source: &Source,
    mut other: Source,
    unknown: bool,
) {
    let mut names = Names::default();
    other.visit(&mut names);
    for name in names.0 {
        let Some(expr) = reader.given(name) else {
            continue;
        };
        if unknown {
            continue;
        }
        let (own, other) = (source.word(), other.word());
        let does = match source {
            Source::Kits19(_) => "generates nothing",
            Source::Phantom(_) => "reads no files",
        };
        reader.elaborator.fail(error!(
            "data::foreign" at expr.span, "`{own}` {does}: `{name}` is a setting of `{other}`";
            help: "write `data {data} = {other} {{ ... }}`, or leave it out"
        ));
    }
}

/// Cases to train on that are tested on as well: a network remembers them.
fn warn_of_overlap(reader: &mut Reader, settings: &DataSettings) {
    let shared = settings.train.shared(&settings.test);
    if shared.is_empty() {
        return;
    }
    let message = format!(
        "the cases {shared} are in both splits, so the test measures memory: `train` is {}, `test` is {}",
        settings.train, settings.test
    );
    let mut warning = Diagnostic::warning("data::overlap", message);
    for key in ["test", "train"] {
        if let Some(expr) = reader.value(key) {
            let text = format!("`{key}`");
            warning = match warning.labels.is_empty() {
                true => warning.at(expr.span, text),
                false => warning.see(expr.span, text),
            };
        }
    }
    reader.elaborator.warn(warning);
}

/// Settings that change nothing because of another one. A value that is the default says nothing, and
/// `check --resolved` writes every default out.
fn warn_of_no_effect(reader: &mut Reader, settings: &DataSettings) {
    let (p, default) = (&settings.preprocessing, Preprocessing::default());
    let kidney = p.task == Task::Kidney;
    let generated = matches!(settings.source, Source::Phantom(_));
    let idle = [
        (
            "crop",
            kidney && p.crop != default.crop,
            "`task = kidney` takes whole slices",
        ),
        (
            "pad",
            kidney && p.pad != default.pad,
            "`task = kidney` takes whole slices",
        ),
        (
            "kidney_mask",
            !kidney && p.kidney_mask != default.kidney_mask,
            "`task = tumor` looks for tumours alone",
        ),
        (
            "min_pixels",
            p.select == Select::All && p.min_pixels != default.min_pixels,
            "`select = all` takes every slice",
        ),
        (
            "cache",
            generated && settings.cache != Cache::Auto,
            "`phantom` generates its volumes in memory",
        ),
    ];
    for (key, idle, reason) in idle {
        if let (true, Some(expr)) = (idle, reader.value(key)) {
            let message = format!("`{key}` has no effect: {reason}");
            let warning = Diagnostic::warning("setting::idle", message).at(expr.span, "");
            reader.elaborator.warn(warning);
        }
    }
}
