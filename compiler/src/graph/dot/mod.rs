//! A graph as DOT, for Graphviz: clusters by block, colours by what trains, shapes on edges.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Graph, NodeId, Phase};
use crate::ops::{Parameter, ParameterKind};

/// How a graph is drawn.
#[derive(Clone, Debug, Default)]
pub struct DotOptions {
    /// Title of the picture.
    pub title: String,
    /// Show blocks nested deeper than this as one box each; `None` shows every node.
    pub depth: Option<usize>,
    /// Nodes to mark as added, by name (a diff).
    pub added: BTreeSet<String>,
    /// Nodes of an earlier graph that are gone, by name.
    pub removed: BTreeSet<String>,
}

#[derive(Default)]
struct Cluster {
    children: BTreeMap<String, Cluster>,
    boxes: BTreeSet<usize>,
}

struct Box {
    id: String,
    label: String,
    fill: &'static str,
    shape: &'static str,
    border: &'static str,
}

/// Where a node is drawn: the clusters around it, outermost first, and what its box says of its name. Clusters are
/// the blocks of the source and, innermost, the layer; loss, gradients and updates are grouped by themselves.
fn placement(graph: &Graph, id: NodeId) -> (Vec<String>, String) {
    let node = graph.node(id);
    let mut clusters: Vec<String> = match node.phase {
        Phase::Forward => Vec::new(),
        Phase::Loss => vec!["loss".to_owned()],
        Phase::Backward => vec!["backward".to_owned()],
        Phase::Update => vec!["update".to_owned()],
    };
    let name = match node.phase {
        Phase::Loss => node.name.strip_prefix("loss.").unwrap_or(&node.name),
        Phase::Update => node.name.strip_prefix("optim.").unwrap_or(&node.name),
        _ => &node.name,
    };
    let mut start = 0;
    for (dot, _) in name.match_indices('.') {
        clusters.push(name[start..dot].to_owned());
        start = dot + 1;
        // Below a layer there are only its own parameters and inner nodes.
        if graph.find(&name[..dot]).is_some() {
            break;
        }
    }
    (clusters, name[start..].to_owned())
}

/// Colour of circuits and of the weights they give.
const GENERATED: &str = "#b98ee0";
/// Colour of parameters taken out of training.
const FROZEN: &str = "#d5d5d5";

fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn style(graph: &Graph, id: NodeId) -> (&'static str, &'static str) {
    let node = graph.node(id);
    if let Some(parameter) = graph.op::<Parameter>(id) {
        let fill = match parameter.kind {
            ParameterKind::Trained if parameter.quantum => "#d9c2f0",
            ParameterKind::Trained => "#cfe3fa",
            ParameterKind::Frozen => FROZEN,
            ParameterKind::Statistic => "#eeeeee",
            ParameterKind::Moment | ParameterKind::Unused => "#f6f6f6",
        };
        return (fill, "ellipse");
    }
    let generated = matches!(
        node.op.name(),
        "circuit" | "lpp" | "weight_map" | "circuit_grad" | "weight_map_grad"
    );
    let fill = match (node.phase, node.op.name()) {
        (_, "input") => "#fdf1c7",
        _ if generated => GENERATED,
        (Phase::Forward, _) => "#ffffff",
        (Phase::Loss, _) => "#fde0dc",
        (Phase::Backward, _) => "#fff3e6",
        (Phase::Update, _) => "#e3f4e3",
    };
    (
        fill,
        if node.op.name() == "input" {
            "ellipse"
        } else {
            "box"
        },
    )
}

/// The graph as DOT. Nodes lie in clusters by their path; circuits and the weights they generate are violet,
/// trained parameters blue, frozen ones grey, and edges carry shapes.
pub fn to_dot(graph: &Graph, options: &DotOptions) -> String {
    let mut boxes: Vec<Box> = Vec::new();
    let mut box_of: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut collapsed: BTreeMap<String, usize> = BTreeMap::new();
    let mut root = Cluster::default();
    let ids: Vec<_> = graph
        .topological()
        .unwrap_or_else(|_| graph.ids().collect());
    // Graphviz (2.43) fails on clusters of a whole training step: gradients and updates lie in none, and nothing does
    // where boxes stand for blocks, which then read each other both ways.
    let step = ids
        .iter()
        .any(|&id| graph.node(id).phase == Phase::Backward);
    let places: Vec<_> = ids.iter().map(|&id| placement(graph, id)).collect();
    let layers: BTreeSet<Vec<String>> = places
        .iter()
        .map(|(clusters, _)| clusters.clone())
        .collect();
    for (&id, (mut path, leaf)) in ids.iter().zip(places) {
        path.push(leaf.clone());
        // A layer with parameters lies in the cluster that they lie in.
        if layers.contains(&path) {
            path.push(leaf.clone());
        }
        let (fill, shape) = style(graph, id);
        let node = graph.node(id);
        let clustered = node.phase == Phase::Forward && !(step && options.depth.is_some());
        let around = |upto: usize| if clustered { &path[..upto] } else { &[] };
        let label_of = |upto: usize| {
            if clustered {
                path[upto - 1].clone()
            } else {
                path[..upto].join(".")
            }
        };
        let depth = options.depth.map_or(usize::MAX, |depth| depth.max(1));
        let at = if path.len() > depth {
            let key = path[..depth].join(".");
            let at = *collapsed.entry(key.clone()).or_insert_with(|| {
                let label = label_of(depth);
                boxes.push(Box {
                    id: key,
                    label,
                    fill: "#ffffff",
                    shape: "box3d",
                    border: "",
                });
                place(&mut root, around(depth - 1), boxes.len() - 1);
                boxes.len() - 1
            });
            // The box of a layer, not of a block, says what the layer is.
            if path.len() == depth + 1 && path[depth] == path[depth - 1] {
                boxes[at].label = format!("{}\n{}", path[depth - 1], node.op.name());
                boxes[at].shape = "box";
            }
            if fill == GENERATED || (fill == FROZEN && boxes[at].fill != GENERATED) {
                boxes[at].fill = fill;
            }
            at
        } else {
            let border = if options.added.contains(&node.name) {
                "#1a8f1a"
            } else {
                ""
            };
            let label = format!("{}\n{}", label_of(path.len()), node.op.name());
            boxes.push(Box {
                id: node.name.clone(),
                label,
                fill,
                shape,
                border,
            });
            place(&mut root, around(path.len() - 1), boxes.len() - 1);
            boxes.len() - 1
        };
        box_of.insert(id, at);
    }
    let mut dot = String::new();
    let _ = writeln!(dot, "digraph {} {{", quote(&options.title));
    dot.push_str("  graph [rankdir=TB, fontname=\"Helvetica\", nodesep=0.25, ranksep=0.4];\n");
    dot.push_str(
        "  node [shape=box, style=\"filled,rounded\", fontname=\"Helvetica\", fontsize=10];\n",
    );
    dot.push_str("  edge [fontname=\"Helvetica\", fontsize=8, color=\"#666666\"];\n");
    write_cluster(&mut dot, &root, &boxes, "", 1);
    for name in &options.removed {
        let _ = writeln!(
            dot,
            "  {} [label={}, fillcolor=\"#ffffff\", color=\"#c02020\", fontcolor=\"#c02020\", style=\"dashed\"];",
            quote(&format!("- {name}")),
            quote(name)
        );
    }
    let mut seen = BTreeSet::new();
    for (&id, &to) in &box_of {
        for input in graph.inputs(id) {
            let Some(&from) = box_of.get(&input) else {
                continue;
            };
            let shape = graph.ty(input).to_string();
            if from != to && seen.insert((from, to, shape.clone())) {
                let _ = writeln!(
                    dot,
                    "  {} -> {} [label={}];",
                    quote(&boxes[from].id),
                    quote(&boxes[to].id),
                    quote(shape.trim_start_matches("f32"))
                );
            }
        }
    }
    dot.push_str("}\n");
    dot
}

fn place(cluster: &mut Cluster, path: &[String], at: usize) {
    match path.split_first() {
        Some((first, rest)) => place(cluster.children.entry(first.clone()).or_default(), rest, at),
        None => {
            cluster.boxes.insert(at);
        }
    }
}

fn write_cluster(dot: &mut String, cluster: &Cluster, boxes: &[Box], path: &str, indent: usize) {
    let pad = "  ".repeat(indent);
    for &at in &cluster.boxes {
        let b = &boxes[at];
        let border = if b.border.is_empty() {
            String::new()
        } else {
            format!(", color=\"{}\", penwidth=2", b.border)
        };
        let _ = writeln!(
            dot,
            "{pad}{} [label={}, shape={}, fillcolor=\"{}\"{border}];",
            quote(&b.id),
            quote(&b.label),
            b.shape,
            b.fill
        );
    }
    for (name, child) in &cluster.children {
        let inner = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let _ = writeln!(
            dot,
            "{pad}subgraph {} {{",
            quote(&format!("cluster_{inner}"))
        );
        let _ = writeln!(
            dot,
            "{pad}  label={}; color=\"#bbbbbb\"; style=rounded; fontname=\"Helvetica\";",
            quote(name)
        );
        write_cluster(dot, child, boxes, &inner, indent + 1);
        let _ = writeln!(dot, "{pad}}}");
    }
}
