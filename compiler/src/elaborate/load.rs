//! Reads a file and its imports, and evaluates their `let`s.

use std::collections::BTreeMap;

use super::project::{Module, Project, name_of};
use super::state::{Elaborator, Frame};
use super::value::Value;
use crate::diagnostic::{Diagnostic, error, suggest};
use crate::experiment::path_words;
use crate::syntax::ast::*;
use crate::syntax::span::{Sources, Span, World, resolve_import, standard, standard_files};
use crate::syntax::{parse, parse_setting};

/// How many files one compilation may read.
const MAX_FILES: usize = 64;

/// Reads `path` and its imports; `settings` are overrides such as `train.epochs=5`.
///
/// # Errors
/// Every file that cannot be read, every broken item, every cycle of imports.
pub fn load(
    sources: &mut Sources,
    world: &dyn World,
    path: &str,
    settings: &[String],
) -> Result<Project, Vec<Diagnostic>> {
    let mut loader = Loader {
        sources,
        world,
        open: Vec::new(),
        loaded: BTreeMap::new(),
        modules: Vec::new(),
        settings: Vec::new(),
        errors: Vec::new(),
        mild: Vec::new(),
    };
    for text in settings {
        match parse_setting(loader.sources, text, &path_words) {
            Ok(entry) => loader.settings.push(entry),
            Err(error) => loader.mild.push(error),
        }
    }
    let text = match standard(path) {
        Some(text) => Ok(text.to_owned()),
        None => world.read(path),
    };
    match text {
        Ok(text) => {
            loader.module(path, text, true);
        }
        Err(reason) => {
            let message = format!("cannot read `{path}`: {reason}");
            loader
                .errors
                .push(Diagnostic::error("import::file", message));
        }
    }
    match loader.errors.is_empty() {
        true => Ok(Project {
            modules: loader.modules,
            settings: loader.settings,
            errors: loader.mild,
        }),
        false => Err([loader.errors, loader.mild].concat()),
    }
}

struct Loader<'a> {
    sources: &'a mut Sources,
    world: &'a dyn World,
    /// Files being read, the outermost first.
    open: Vec<String>,
    loaded: BTreeMap<String, usize>,
    modules: Vec<Module>,
    settings: Vec<Entry>,
    errors: Vec<Diagnostic>,
    /// Errors after which everything else can still be looked at.
    mild: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn module(&mut self, path: &str, text: String, main: bool) -> Option<usize> {
        let file = self.sources.add(path, text);
        let (tree, errors) = parse(self.sources, file);
        self.errors.extend(errors);
        self.open.push(path.to_owned());
        let mut imports = BTreeMap::new();
        for item in &tree.items {
            if let Item::Import(import) = item
                && let Some(index) = self.import(path, import)
            {
                imports.insert(import.name.name.clone(), index);
            }
        }
        self.open.pop();
        self.check_names(&tree);
        let mut module = Module {
            file,
            tree,
            imports,
            lets: BTreeMap::new(),
        };
        self.lets(&mut module, main);
        let index = self.modules.len();
        self.loaded.insert(path.to_owned(), index);
        self.modules.push(module);
        Some(index)
    }

    fn import(&mut self, importer: &str, import: &Import) -> Option<usize> {
        let path = resolve_import(importer, &import.path);
        if let Some(&index) = self.loaded.get(&path) {
            return Some(index);
        }
        if self.open.contains(&path) {
            let chain = [&self.open[..], std::slice::from_ref(&path)].concat();
            self.errors.push(error!(
                "import::cycle" at import.path_span, "`{path}` imports itself";
                here: "this closes the circle";
                help: "{}", chain.join(" -> ")
            ));
            return None;
        }
        if self.modules.len() + self.open.len() >= MAX_FILES {
            self.errors.push(error!(
                "limit::files" at import.path_span, "more than {MAX_FILES} files are imported"
            ));
            return None;
        }
        let text = match standard(&path) {
            Some(text) => Ok(text.to_owned()),
            None => self.world.read(&path),
        };
        match text {
            Ok(text) => self.module(&path, text, false),
            Err(reason) => {
                let label = match path == import.path {
                    true => reason,
                    false => format!("{reason} (looked for `{path}`)"),
                };
                let built_in: Vec<_> = standard_files().collect();
                let help = match import.path.starts_with("std/") {
                    true => suggest(&import.path, &built_in),
                    false => Some("paths are relative to the file that imports".to_owned()),
                };
                self.errors.push(error!(
                    "import::file" at import.path_span, "cannot import `{}`", import.path;
                    here: "{label}";
                    suggest: help
                ));
                None
            }
        }
    }

    /// Reports names that two items of a file define, and sections that a file has twice.
    fn check_names(&mut self, tree: &File) {
        let mut names: BTreeMap<&str, Span> = BTreeMap::new();
        let mut sections: BTreeMap<&str, Span> = BTreeMap::new();
        for item in &tree.items {
            if let Item::Block(function) | Item::Model(function) = item {
                self.check_parameters(function);
            }
            let (seen, ident, what) = match item {
                Item::Section(section) => (&mut sections, &section.kind, "section"),
                item => match name_of(item) {
                    Some(ident) => (&mut names, ident, "name"),
                    None => continue,
                },
            };
            if let Some(first) = seen.insert(&ident.name, ident.span) {
                self.mild.push(error!(
                    "name::taken" at ident.span, "the {what} `{}` stands here twice", ident.name;
                    here: "second time";
                    see: first, "first time"
                ));
            }
        }
    }

    /// A parameter is declared once.
    fn check_parameters(&mut self, function: &Function) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for parameter in &function.parameters {
            let name = &parameter.name;
            if let Some(first) = seen.insert(&name.name, name.span) {
                self.mild.push(error!(
                    "name::taken" at name.span, "`{}` has two parameters called `{}`", function.name.name, name.name;
                    here: "second one";
                    see: first, "first one"
                ));
            }
        }
    }

    fn lets(&mut self, module: &mut Module, main: bool) {
        for index in 0..module.tree.items.len() {
            let Item::Let(binding) = &module.tree.items[index] else {
                continue;
            };
            let name = binding.name.name.clone();
            let setting =
                self.settings.iter().rev().find(|entry| {
                    main && matches!(entry.key.as_slice(), [word] if word.name == name)
                });
            let value = setting.map_or(&binding.value, |entry| &entry.value);
            let mut elaborator = Elaborator::new(self.sources, self.world, &self.modules);
            let value = elaborator.setting(value, &Frame::of(module));
            self.mild.extend(elaborator.found.errors);
            module.lets.insert(name, value.unwrap_or(Value::Poison));
        }
    }
}
