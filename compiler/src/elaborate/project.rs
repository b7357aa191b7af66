//! The files of a compilation: a file, its imports, and the items in each.

use std::collections::BTreeMap;

use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::*;
use crate::syntax::span::FileId;

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

/// The name that an item defines; sections define none.
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
