//! The text of a study that can be run again: every setting spelled out, with its origin.

use super::project::Project;
use super::study::Study;
use super::value::Value;
use crate::syntax::ast::*;
use crate::syntax::print::print;
use crate::syntax::span::{Sources, standard};

/// An imported file to be kept beside the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name beside the main file.
    pub name: String,
    /// Its text; imports name the copies.
    pub text: String,
}

/// The main file with all settings spelled out and `# origin` behind each, and the files that it
/// imports (built-in ones stay built in), under names for one folder.
pub fn resolved(sources: &Sources, project: &Project, study: &Study) -> (String, Vec<Copied>) {
    let mut copies = Vec::new();
    for (index, module) in project.modules.iter().enumerate() {
        let path = sources.name(module.file);
        if index == project.main_index() || standard(path).is_some() {
            continue;
        }
        let items = kept(sources, project, index, |_| true);
        let comments = Vec::new();
        copies.push(Copied {
            name: copy_name(sources, project, index),
            text: print(&File { items, comments }),
        });
    }
    let main = project.main_index();
    let sections = |item: &Item| !matches!(item, Item::Section(_) | Item::Data(_));
    let mut items = kept(sources, project, main, sections);
    for item in &mut items {
        if let Item::Let(binding) = item
            && let Some(value) = project.main().lets.get(&binding.name.name)
            && project.settings.iter().any(
                |entry| matches!(entry.key.as_slice(), [word] if word.name == binding.name.name),
            )
        {
            // A name is printed without escapes, so it can carry any text of a value.
            binding.value.kind = match value {
                Value::Int(value) if *value >= 0 => ExprKind::Int(*value),
                value => ExprKind::Name(value.print()),
            };
        }
    }
    let comments = Vec::new();
    let mut text = print(&File { items, comments });
    let mut section = "";
    for setting in &study.resolved {
        if setting.section != section {
            if !section.is_empty() {
                text.push_str("}\n");
            }
            text.push_str(&format!("\n{} {{\n", setting.section));
            section = &setting.section;
        }
        let (key, value, origin) = (&setting.key, &setting.value, &setting.origin);
        let line = format!("  {key} = {value}");
        text.push_str(&format!("{line:<42}  # {}\n", origin.replace('\n', " ")));
    }
    if !section.is_empty() {
        text.push_str("}\n");
    }
    (text, copies)
}

/// The name under which a module is kept: its file name, numbered where two share one.
fn copy_name(sources: &Sources, project: &Project, index: usize) -> String {
    let base = |index: usize| {
        let path = sources.name(project.modules[index].file);
        path.rsplit('/').next().unwrap_or(path).to_owned()
    };
    let name = base(index);
    let same = (0..project.modules.len())
        .filter(|&other| other < index && base(other) == name)
        .count();
    match (same, name.strip_suffix(".hqc")) {
        (0, _) => name,
        (same, Some(stem)) => format!("{stem}-{same}.hqc"),
        (same, None) => format!("{name}-{same}"),
    }
}

/// The items of a module that `keep` picks, imports pointing at the copies.
fn kept(
    sources: &Sources,
    project: &Project,
    index: usize,
    keep: impl Fn(&Item) -> bool,
) -> Vec<Item> {
    let module = &project.modules[index];
    let picked = module.tree.items.iter().filter(|item| keep(item));
    let mut items: Vec<Item> = picked.cloned().collect();
    for item in &mut items {
        if let Item::Import(import) = item
            && let Some(&to) = module.imports.get(&import.name.name)
            && standard(sources.name(project.modules[to].file)).is_none()
        {
            import.path = copy_name(sources, project, to);
        }
    }
    items
}
