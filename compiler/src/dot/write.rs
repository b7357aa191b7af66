//! A picture as DOT text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::figure::{Drawing, Figure, GENERATED, MEANINGS, Stands};
use super::options::DotOptions;

/// Colour of edges that skip layers.
const SKIP: &str = "#5b86c4";
/// Border colour of nodes that a pass added.
const ADDED: &str = "#1a8f1a";
/// Colour of nodes that a pass removed.
const REMOVED: &str = "#c02020";

/// How many boxes further on an edge leads to be drawn as one that skips.
const SKIPS: usize = 2;

#[derive(Default)]
struct Cluster {
    children: BTreeMap<String, Cluster>,
    figures: BTreeSet<usize>,
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', " ")
}

fn quote(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The lines of a box: below each other and centred, or from the left where they form a list.
fn label(figure: &Figure) -> String {
    let mut lines: Vec<_> = figure.lines.iter().map(|line| escaped(line)).collect();
    let listed = figure.stands == Stands::Layer && lines.len() > 2;
    if let (Some(shape), 1) = (figure.gives.first(), figure.gives.len()) {
        lines.push(escaped(shape));
    }
    match listed {
        true => format!("\"{}\\l\"", lines.join("\\l")),
        false => format!("\"{}\"", lines.join("\\n")),
    }
}

/// The longest way from an input to each box; boxes on a cycle of blocks count as far as they were reached.
fn ranks(drawing: &Drawing) -> Vec<usize> {
    let mut rank = vec![0; drawing.figures.len()];
    for _ in 0..drawing.figures.len() {
        let mut moved = false;
        for &(from, to, _) in &drawing.edges {
            let wanted = rank[from] + 1;
            if wanted > rank[to] && wanted < drawing.figures.len() {
                rank[to] = wanted;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    rank
}

/// The text.
pub fn write(drawing: &Drawing, options: &DotOptions) -> String {
    let mut dot = String::new();
    if !options.note.is_empty() {
        let _ = writeln!(dot, "// {}", options.note.replace('\n', " "));
    }
    let _ = writeln!(dot, "digraph {} {{", quote(&options.title));
    dot.push_str("  graph [rankdir=TB, fontname=\"Helvetica\", nodesep=0.25, ranksep=0.3];\n");
    dot.push_str("  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=10, margin=\"0.12,0.05\"];\n");
    dot.push_str(
        "  edge [fontname=\"Helvetica\", fontsize=8, color=\"#444444\", arrowsize=0.7];\n",
    );
    let mut root = Cluster::default();
    for (at, figure) in drawing.figures.iter().enumerate() {
        let mut cluster = &mut root;
        for name in &figure.clusters {
            cluster = cluster.children.entry(name.clone()).or_default();
        }
        cluster.figures.insert(at);
    }
    write_cluster(&mut dot, &root, &drawing.figures, "", 1);
    for name in &options.removed {
        let _ = writeln!(
            dot,
            "  {} [label={}, fillcolor=\"#ffffff\", color=\"{REMOVED}\", fontcolor=\"{REMOVED}\", style=\"dashed\"];",
            quote(&format!("- {name}")),
            quote(name)
        );
    }
    let rank = ranks(drawing);
    let mut skips = false;
    for (from, to, shape) in &drawing.edges {
        let mut attributes = Vec::new();
        if drawing.figures[*from].gives.len() > 1 {
            attributes.push(format!("label={}", quote(shape)));
        }
        // Weights come from the side, not from further up.
        let source = &drawing.figures[*from];
        let weight = source.stands == Stands::Leaf || source.fill == GENERATED;
        if rank[*to] > rank[*from] + SKIPS && !weight {
            attributes.push(format!("color=\"{SKIP}\""));
            skips = true;
        }
        let (a, b) = (&drawing.figures[*from].id, &drawing.figures[*to].id);
        let attributes = match attributes.is_empty() {
            true => String::new(),
            false => format!(" [{}]", attributes.join(", ")),
        };
        let _ = writeln!(dot, "  {} -> {}{attributes};", quote(a), quote(b));
    }
    legend(&mut dot, drawing, options, skips);
    dot.push_str("}\n");
    dot
}

/// A table of the colours, borders and edges that occur and need a word; nothing where none does.
fn legend(dot: &mut String, drawing: &Drawing, options: &DotOptions, skips: bool) {
    let occurs = |colour: &str| drawing.figures.iter().any(|figure| figure.fill == colour);
    let mut rows = String::new();
    for (colour, meaning) in MEANINGS.iter().filter(|(colour, _)| occurs(colour)) {
        let _ = write!(
            rows,
            "<TR><TD BGCOLOR=\"{colour}\" BORDER=\"1\" WIDTH=\"18\"></TD><TD ALIGN=\"LEFT\">{meaning}</TD></TR>"
        );
    }
    let lines = [
        (skips, SKIP, "edge that skips layers"),
        (
            !options.added.is_empty(),
            ADDED,
            "border: added by the pass",
        ),
        (
            !options.removed.is_empty(),
            REMOVED,
            "border: removed by the pass",
        ),
    ];
    for (_, colour, meaning) in lines.into_iter().filter(|(occurs, ..)| *occurs) {
        let _ = write!(
            rows,
            "<TR><TD><FONT COLOR=\"{colour}\"><B>&#8212;</B></FONT></TD><TD ALIGN=\"LEFT\">{meaning}</TD></TR>"
        );
    }
    if !rows.is_empty() {
        let _ = writeln!(
            dot,
            "  \"legend of colours\" [shape=plaintext, style=\"\", fontsize=9, label=<<TABLE BORDER=\"0\" CELLSPACING=\"2\">{rows}</TABLE>>];"
        );
    }
}

fn write_cluster(
    dot: &mut String,
    cluster: &Cluster,
    figures: &[Figure],
    path: &str,
    indent: usize,
) {
    let pad = "  ".repeat(indent);
    for &at in &cluster.figures {
        let figure = &figures[at];
        let shape = match figure.stands {
            Stands::Block => "box3d",
            Stands::Layer | Stands::Node => "box",
            Stands::Leaf => "ellipse",
        };
        let border = match figure.added {
            true => format!(", color=\"{ADDED}\", penwidth=2"),
            false => String::new(),
        };
        let _ = writeln!(
            dot,
            "{pad}{} [label={}, shape={shape}, fillcolor=\"{}\"{border}];",
            quote(&figure.id),
            label(figure),
            figure.fill
        );
    }
    for (name, child) in &cluster.children {
        let inner = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let _ = writeln!(
            dot,
            "{pad}subgraph {} {{",
            quote(&format!("cluster_{inner}"))
        );
        let _ = writeln!(
            dot,
            "{pad}  label={}; labeljust=l; color=\"#bbbbbb\"; style=rounded; fontname=\"Helvetica\"; fontsize=11;",
            quote(name)
        );
        write_cluster(dot, child, figures, &inner, indent + 1);
        let _ = writeln!(dot, "{pad}}}");
    }
}
