//! `hqcc ops`.

use clap::{Args, ValueEnum};
use hqcc_compiler::ops::{LAYERS, OPS};
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::rewrite::{METHODS, POSTS};
use hqcc_compiler::quantum::ansatz::QubitPattern;
use hqcc_compiler::quantum::gates::GATES;
use hqcc_compiler::reference::{self, Group};
use hqcc_compiler::setting::Setting;

use super::Failure;
use super::args::print;
use super::explain;
use crate::report::table::{Align, Table};

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Layers that a model calls.
    Layers,
    /// Rules: what annotations and rewrites do to layers.
    Rules,
    /// Gates that a circuit is made of.
    Gates,
    /// Settings of sections and optimisers, with their limits.
    Settings,
    /// Operations of the graph.
    Graph,
}

/// List the layers, losses, rules, gates and settings of the language, and the operations of the graph.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc ops\n  \
    hqcc ops gates\n  \
    hqcc ops settings")]
pub struct Ops {
    /// One list only.
    which: Option<Which>,
}

impl Ops {
    /// Prints the lists.
    pub fn run(self) -> Result<(), Failure> {
        let wanted = |which| self.which.is_none_or(|one| one == which);
        let mut lists = Vec::new();
        if wanted(Which::Layers) {
            lists.push(layers());
        }
        if wanted(Which::Rules) {
            lists.push(rules());
        }
        if wanted(Which::Gates) {
            lists.push(gates());
        }
        if wanted(Which::Settings) {
            lists.push(settings());
        }
        if wanted(Which::Graph) {
            lists.push(graph());
        }
        print(&lists.join("\n"))
    }
}

fn words<const N: usize>(names: [&'static str; N]) -> Table {
    Table::new(names.map(|name| (name, Align::Left)))
}

fn layers() -> String {
    let mut table = words(["layer", "what it computes", "settings"]);
    for layer in LAYERS {
        let settings: Vec<String> = layer.settings.iter().map(setting).collect();
        table.row([
            layer.name.to_owned(),
            layer.doc.to_owned(),
            settings.join(", "),
        ]);
    }
    let losses: Vec<&str> = Loss::ALL.iter().map(|(name, _)| *name).collect();
    format!("{table}\nlosses: {}\n", losses.join(", "))
}

fn rules() -> String {
    let mut table = words(["rule", "what it does", "settings"]);
    for method in METHODS {
        let settings = (method.settings)();
        let settings: Vec<String> = settings.into_iter().map(setting).collect();
        let row = [method.name, method.doc, &settings.join(", ")];
        table.row(row);
    }
    table.row([
        "unused",
        "parameters exist and are saved, nothing reads them",
        "",
    ]);
    let mut posts = words(["post", "what becomes of a circuit's readout", "settings"]);
    for post in POSTS {
        let settings: Vec<String> = post.settings.iter().map(setting).collect();
        posts.row([post.name, post.doc, &settings.join(", ")]);
    }
    format!("{table}\n{posts}")
}

fn setting(setting: &Setting) -> String {
    match setting.default {
        Some(default) => format!("{} = {default}", setting.name),
        None => format!("{}: {}", setting.name, setting.kind),
    }
}

fn gates() -> String {
    let mut table = words(["gate", "qubits", "angles", "what it does"]);
    for gate in GATES {
        table.row([
            gate.name.to_owned(),
            gate.qubits.to_string(),
            gate.angles().to_string(),
            gate.doc.to_owned(),
        ]);
    }
    let mut patterns = words(["on", "which qubits"]);
    for (word, pattern) in QubitPattern::WORDS {
        patterns.row([word, pattern.doc()]);
    }
    format!("{table}\n{patterns}")
}

fn settings() -> String {
    let group = |group: &Group| format!("{}\n{}", group.title, explain::settings(&group.settings));
    let mut texts: Vec<String> = reference::groups().iter().map(group).collect();
    let mut losses = words(["loss", "what it computes"]);
    for (name, loss) in Loss::ALL {
        losses.row([*name, loss.doc()]);
    }
    texts.push(losses.to_string());
    texts.join("\n")
}

fn graph() -> String {
    let mut table = words(["operation", "what it computes"]);
    for op in OPS {
        table.row([op.name, op.doc]);
    }
    table.to_string()
}
