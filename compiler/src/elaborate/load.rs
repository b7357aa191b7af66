//! Reads a file and what it imports, and evaluates their `let`s.

use std::collections::BTreeMap;

use super::evaluate::{Elaborator, Frame};
use super::value::Value;
use crate::diagnostic::{Diagnostic, suggest};
use crate::syntax::ast::*;
use crate::syntax::span::{FileId, Sources, Span, World, resolve_import, standard, standard_files};
use crate::syntax::{parse, parse_setting};

/// How many files one compilation may read.
const MAX_FILES: usize = 64;

/// A file with its imports resolved.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its text.
    pub file: FileId,
    /// Its tree.
    pub tree: File,
    /// The modules its imports name.
    pub imports: BTreeMap<String, usize>,
    /// The values of its `let`s.
    pub lets: BTreeMap<String, Value>,
}

impl Module {
    /// The block of that name.
    pub fn block(&self, name: &str) -> Option<&Function> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Block(block) if block.name.name == name => Some(block),
            _ => None,
        })
    }

    /// The model of that name.
    pub fn model(&self, name: &str) -> Option<&Function> {
        self.models().find(|model| model.name.name == name)
    }

    /// The models in source order.
    pub fn models(&self) -> impl Iterator<Item = &Function> {
        self.tree.items.iter().filter_map(|item| match item {
            Item::Model(model) => Some(model),
            _ => None,
        })
    }

    /// The circuit of that name.
    pub fn circuit(&self, name: &str) -> Option<&Circuit> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Circuit(circuit) if circuit.name.name == name => Some(circuit),
            _ => None,
        })
    }

    /// The rewrite of that name.
    pub fn rewrite(&self, name: &str) -> Option<&Rewrite> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Rewrite(rewrite) if rewrite.name.name == name => Some(rewrite),
            _ => None,
        })
    }

    /// The rules for names of that name.
    pub fn name_rules(&self, name: &str) -> Option<&Names> {
        self.all_name_rules().find(|names| names.name.name == name)
    }

    /// The rules for names in source order.
    pub fn all_name_rules(&self) -> impl Iterator<Item = &Names> {
        self.tree.items.iter().filter_map(|item| match item {
            Item::Names(names) => Some(names),
            _ => None,
        })
    }

    /// The data sections in source order.
    pub fn data(&self) -> impl Iterator<Item = &Data> {
        self.tree.items.iter().filter_map(|item| match item {
            Item::Data(data) => Some(data),
            _ => None,
        })
    }

    /// The section of that kind: `train`, `predict` or `sweep`.
    pub fn section(&self, kind: &str) -> Option<&Section> {
        self.tree.items.iter().find_map(|item| match item {
            Item::Section(section) if section.kind.name == kind => Some(section),
            _ => None,
        })
    }

    /// The names of its items of the kind that `of` picks.
    pub fn names(&self, of: fn(&Item) -> Option<&Ident>) -> Vec<&str> {
        let names = self.tree.items.iter().filter_map(of);
        names.map(|ident| ident.name.as_str()).collect()
    }
}

/// A file with everything it imports, and the settings of the command line.
#[derive(Clone, Debug)]
pub struct Project {
    /// All files; an imported one before those that import it, so the main one is the last.
    pub modules: Vec<Module>,
    /// Settings of the command line, in order.
    pub settings: Vec<Entry>,
    /// What is wrong with names, `let`s and settings; it hides nothing else.
    pub(super) errors: Vec<Diagnostic>,
}

impl Project {
    /// The index of the file that was asked for.
    pub fn main_index(&self) -> usize {
        self.modules.len().saturating_sub(1)
    }

    /// The file that was asked for.
    pub fn main(&self) -> &Module {
        &self.modules[self.main_index()]
    }
}

/// Reads `path` and what it imports; `settings` are overrides such as `train.epochs=5`.
///
/// Errors: every file that cannot be read, every broken item, every cycle of imports.
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
        match parse_setting(loader.sources, text) {
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
            let message = format!("`{path}` imports itself");
            let chain = [&self.open[..], &[path]].concat().join(" -> ");
            let error = Diagnostic::error("import::cycle", message);
            let error = error.at(import.path_span, "this closes the circle");
            self.errors.push(error.help(chain));
            return None;
        }
        if self.modules.len() + self.open.len() >= MAX_FILES {
            let message = format!("more than {MAX_FILES} files are imported");
            let error = Diagnostic::error("limit::files", message);
            self.errors.push(error.at(import.path_span, ""));
            return None;
        }
        let text = match standard(&path) {
            Some(text) => Ok(text.to_owned()),
            None => self.world.read(&path),
        };
        match text {
            Ok(text) => self.module(&path, text, false),
            Err(reason) => {
                let message = format!("cannot import `{}`", import.path);
                let label = match path == import.path {
                    true => reason,
                    false => format!("{reason} (looked for `{path}`)"),
                };
                let error = Diagnostic::error("import::file", message);
                let error = error.at(import.path_span, label);
                let built_in: Vec<_> = standard_files().collect();
                self.errors.push(match import.path.starts_with("std/") {
                    true => match suggest(&import.path, &built_in) {
                        Some(help) => error.help(help),
                        None => error,
                    },
                    false => error.help("paths are relative to the file that imports"),
                });
                None
            }
        }
    }

    /// A name may stand for one thing in a file, and a section may stand there once.
    fn check_names(&mut self, tree: &File) {
        let mut names: BTreeMap<&str, Span> = BTreeMap::new();
        let mut sections: BTreeMap<&str, Span> = BTreeMap::new();
        for item in &tree.items {
            let (seen, ident, what) = match item {
                Item::Section(section) => (&mut sections, &section.kind, "section"),
                item => match name_of(item) {
                    Some(ident) => (&mut names, ident, "name"),
                    None => continue,
                },
            };
            if let Some(first) = seen.insert(&ident.name, ident.span) {
                let message = format!("the {what} `{}` stands here twice", ident.name);
                self.mild.push(
                    Diagnostic::error("name::taken", message)
                        .at(ident.span, "second time")
                        .see(first, "first time"),
                );
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
            self.mild.extend(elaborator.errors);
            module.lets.insert(name, value.unwrap_or(Value::Poison));
        }
    }
}

/// The name an item goes by.
pub fn name_of(item: &Item) -> Option<&Ident> {
    match item {
        Item::Import(item) => Some(&item.name),
        Item::Let(item) => Some(&item.name),
        Item::Block(item) | Item::Model(item) => Some(&item.name),
        Item::Circuit(item) => Some(&item.name),
        Item::Rewrite(item) => Some(&item.name),
        Item::Names(item) => Some(&item.name),
        Item::Data(item) => Some(&item.name),
        Item::Section(_) => None,
    }
}
