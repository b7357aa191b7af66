//! `hqcc ops`.

use clap::{Args, ValueEnum};
use hqcc_compiler::ops::{LAYERS, OPS};
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::rewrite::{METHODS, POSTS};
use hqcc_compiler::quantum::gates::GATES;
use hqcc_compiler::setting::{Kind, Setting};

use super::Failure;
use super::args::print;
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
    /// Operations of the graph.
    Graph,
}

/// List the layers, losses, rules and gates of the language, and the operations of the graph.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc ops\n  \
    hqcc ops gates")]
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
    let kind = match setting.kind {
        Kind::Int { .. } => "int".to_owned(),
        Kind::Float(_) => "float".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Word(words) => words.join("|"),
        Kind::Circuit => "circuit".to_owned(),
        Kind::Names => "names".to_owned(),
        Kind::Path => "path".to_owned(),
    };
    match setting.default {
        Some(default) => format!("{} = {default}", setting.name),
        None => format!("{}: {kind}", setting.name),
    }
}

fn gates() -> String {
    let mut table = words(["gate", "qubits", "angle", "what it does"]);
    for gate in GATES {
        let angle = if gate.generator.is_some() {
            "yes"
        } else {
            "no"
        };
        table.row([
            gate.name.to_owned(),
            gate.arity.to_string(),
            angle.to_owned(),
            gate.doc.to_owned(),
        ]);
    }
    table.to_string()
}

fn graph() -> String {
    let mut table = words(["operation", "what it computes"]);
    for op in OPS {
        table.row([op.name, op.doc]);
    }
    table.to_string()
}
