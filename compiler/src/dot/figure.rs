//! Which nodes share a box, and what the box says of them.

use std::collections::{BTreeMap, BTreeSet};

use super::options::DotOptions;
use crate::graph::{Graph, Input, NodeId, Parameter, ParameterKind, Phase, Role, WeightKind};
use crate::ops::Circuit;
use crate::tensor_type::Layout;

/// Colour of circuits and of the weights they give.
pub const GENERATED: &str = "#b98ee0";
/// Colour of weights that low-rank products adapt.
const ADAPTED: &str = "#9fd8c8";
/// Colour of parameters taken out of training.
const FROZEN: &str = "#d5d5d5";
/// Colour of what nothing reads.
const UNUSED: &str = "#f6f6f6";
/// Colour of what trains as the source says.
pub const PLAIN: &str = "#ffffff";

/// Ops that a layer needs, but that say nothing of it.
const INNER: &[&str] = &[
    "batch_stats",
    "constant",
    "parameter",
    "reshape",
    "running_average",
    "stack_rows",
];

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// A block of the source, or several.
    Block,
    /// A layer, or a chain of them.
    Layer,
    /// One node.
    Node,
    /// One parameter or input.
    Leaf,
}

/// A box of the picture.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name in DOT.
    pub id: String,
    /// The clusters around it, outermost first.
    pub clusters: Vec<String>,
    /// What it says.
    pub lines: Vec<String>,
    /// What it stands for.
    pub stands: Stands,
    /// Its colour.
    pub fill: &'static str,
    /// Whether a diff marks it.
    pub added: bool,
    /// Parameters in it that exist in the source.
    pub parameters: usize,
    /// Shapes of what others read from it.
    pub gives: BTreeSet<String>,
}

/// A picture: boxes, and edges between them with the shape of what passes.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// The boxes.
    pub figures: Vec<Figure>,
    /// From, to, shape.
    pub edges: BTreeSet<(usize, usize, String)>,
}

/// Where a node lies: the path of its box at full depth, of which the first `layer` segments name the layer.
struct Place {
    path: Vec<String>,
    layer: usize,
}

/// The cluster of a part of a step; the network itself has none.
fn cluster(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Forward => None,
        Phase::Loss => Some("loss"),
        Phase::Backward => Some("backward"),
        Phase::Update => Some("update"),
    }
}

/// The name of a node inside the box of its layer; `None` for the node that carries the layer's name.
fn inner_name<'n>(name: &'n str, layer: &str) -> Option<&'n str> {
    let rest = name.strip_prefix(layer)?.strip_prefix('.')?;
    Some(rest).filter(|rest| !rest.is_empty())
}

/// Layers whose weight a rule has replaced: their inside is worth a look.
fn touched(graph: &Graph) -> BTreeSet<&str> {
    let replaced = graph.replaced();
    replaced.into_values().map(|id| graph.layer(id)).collect()
}

fn places(graph: &Graph, ids: &[NodeId], nodes: bool) -> Vec<Place> {
    let touched = touched(graph);
    let split = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    ids.iter()
        .map(|&id| {
            let part = cluster(graph.node(id).origin.phase);
            let layer = graph.layer(id);
            let mut path: Vec<_> = part.map(str::to_owned).into_iter().collect();
            path.extend(split(layer));
            let length = path.len();
            if nodes || (part.is_none() && touched.contains(layer)) {
                let inner = inner_name(graph.name(id), layer);
                path.push(inner.unwrap_or(&path[length - 1]).to_owned());
            }
            Place {
                path,
                layer: length,
            }
        })
        .collect()
}

fn ordered(graph: &Graph) -> Vec<NodeId> {
    let order = graph.topological();
    order.unwrap_or_else(|_| graph.ids().collect())
}

/// The depth at which every layer shows.
pub fn deepest(graph: &Graph) -> usize {
    let places = places(graph, &ordered(graph), false);
    places
        .iter()
        .map(|place| place.path.len())
        .max()
        .unwrap_or(1)
}

fn fill(graph: &Graph, id: NodeId) -> &'static str {
    let node = graph.node(id);
    if let Some(parameter) = graph.op::<Parameter>(id) {
        return match parameter.kind {
            ParameterKind::Trained if node.origin.role.is_quantum() => "#d9c2f0",
            ParameterKind::Trained => "#cfe3fa",
            ParameterKind::Frozen => FROZEN,
            ParameterKind::Statistic => "#eeeeee",
            ParameterKind::Moment | ParameterKind::Unused => UNUSED,
        };
    }
    if graph.op::<Input>(id).is_some() {
        return "#fdf1c7";
    }
    match (&node.origin.role, node.origin.phase) {
        (Role::Adapter, _) => ADAPTED,
        (role, _) if role.is_quantum() => GENERATED,
        (_, Phase::Forward) => PLAIN,
        (_, Phase::Loss) => "#fde0dc",
        (_, Phase::Backward) => "#fff3e6",
        (_, Phase::Update) => "#e3f4e3",
    }
}

/// What is known of a box that holds more than one node.
#[derive(Default)]
struct Content {
    ops: Vec<&'static str>,
    kernel: Option<String>,
    linear: bool,
    circuits: Option<(usize, usize)>,
    generated: bool,
    adapted: bool,
    trained: usize,
    frozen: usize,
    unused: usize,
}

impl Content {
    fn take(&mut self, graph: &Graph, id: NodeId, colour: &str) {
        let node = graph.node(id);
        if let Some(parameter) = graph.op::<Parameter>(id) {
            let count = node.ty.elements();
            match parameter.kind {
                ParameterKind::Trained => self.trained += count,
                ParameterKind::Frozen => self.frozen += count,
                ParameterKind::Unused => self.unused += count,
                ParameterKind::Statistic | ParameterKind::Moment => {}
            }
            match (parameter.weight, node.ty.shape.as_slice()) {
                (Some(WeightKind::Linear), _) => self.linear = true,
                (Some(_), [_, _, rows, columns]) => {
                    self.kernel = Some(format!("{rows} x {columns}"))
                }
                _ => {}
            }
        }
        if let Some(circuit) = graph.op::<Circuit>(id) {
            let count = graph
                .input_types(id)
                .first()
                .map_or(0, |theta| theta.shape[0]);
            self.circuits.get_or_insert((count, circuit.qubits));
        }
        self.generated |= colour == GENERATED;
        self.adapted |= colour == ADAPTED;
        let inner = INNER.contains(&node.op.name()) || [GENERATED, ADAPTED].contains(&colour);
        if !inner && !self.ops.contains(&node.op.name()) {
            self.ops.push(node.op.name());
        }
    }

    fn fill(&self, plain: &'static str) -> &'static str {
        match self {
            _ if self.generated => GENERATED,
            _ if self.adapted => ADAPTED,
            _ if self.unused > 0 && self.trained + self.frozen == 0 => UNUSED,
            _ if self.frozen > 0 && self.trained == 0 => FROZEN,
            _ => plain,
        }
    }

    /// The lines below the name.
    fn lines(&self, stands: Stands) -> Vec<String> {
        let mut lines = Vec::new();
        let mut ops = self.ops.clone();
        if self.linear {
            ops.retain(|op| !["matmul", "add"].contains(op));
            ops.insert(0, "linear");
        }
        let ops = match &self.kernel {
            _ if self.unused > 0 && ops.is_empty() => "unused".to_owned(),
            Some(kernel) => format!("{} {kernel}", ops.join(", ")),
            None => ops.join(", "),
        };
        let parameters = self.trained + self.frozen + self.unused;
        match stands {
            Stands::Block if parameters > 0 => {
                lines.push(format!("{} parameters", short(parameters)))
            }
            Stands::Layer if !ops.is_empty() => lines.push(ops),
            _ => {}
        }
        if let Some((count, qubits)) = self.circuits {
            lines.push(format!("{} circuits of {qubits} qubits", short(count)));
        }
        lines
    }
}

/// A count in at most five characters.
pub fn short(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        _ => format!("{:.1} M", count as f64 / 1e6),
    }
}

impl Drawing {
    /// The boxes of a graph at a depth.
    pub fn new(graph: &Graph, options: &DotOptions) -> Drawing {
        let mut ids = ordered(graph);
        // What the host hands in beside the images, such as the key of dropout, would have lines to half the boxes.
        ids.retain(|&id| {
            let beside = graph.op::<Input>(id).is_some() && graph.ty(id).layout == Layout::Plain;
            options.nodes || !beside
        });
        let places = places(graph, &ids, options.nodes);
        // Graphviz (2.43) fails on clusters of a whole training step: gradients and updates lie in none, and nothing does
        // where boxes stand for blocks, which then read each other both ways.
        let step = ids
            .iter()
            .any(|&id| graph.node(id).origin.phase == Phase::Backward);
        let depth = options.depth.map_or(usize::MAX, |depth| depth.max(1));
        let mut figures: Vec<Figure> = Vec::new();
        let mut contents: Vec<Content> = Vec::new();
        let mut at_of: BTreeMap<String, usize> = BTreeMap::new();
        let mut figure_of: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (&id, Place { path, layer }) in ids.iter().zip(&places) {
            let node = graph.node(id);
            let cut = depth.min(path.len());
            let leaf = graph.inputs(id).is_empty() && (cut > *layer || node.op.name() == "input");
            let stands = match () {
                () if cut < *layer => Stands::Block,
                () if leaf => Stands::Leaf,
                () if cut > *layer => Stands::Node,
                () => Stands::Layer,
            };
            let clustered =
                node.origin.phase == Phase::Forward && !(step && options.depth.is_some());
            let colour = fill(graph, id);
            let key = path[..cut].join(".");
            let at = *at_of.entry(key.clone()).or_insert_with(|| {
                let (clusters, name) = match clustered {
                    true => (path[..cut - 1].to_vec(), path[cut - 1].clone()),
                    false => (Vec::new(), key.clone()),
                };
                let plain = if node.origin.phase == Phase::Forward {
                    PLAIN
                } else {
                    colour
                };
                figures.push(Figure {
                    id: key,
                    clusters,
                    lines: vec![name],
                    stands,
                    fill: plain,
                    added: false,
                    parameters: 0,
                    gives: BTreeSet::new(),
                });
                contents.push(Content::default());
                figures.len() - 1
            });
            if matches!(stands, Stands::Node | Stands::Leaf) {
                figures[at].fill = colour;
                figures[at].lines.push(node.op.name().to_owned());
            } else {
                contents[at].take(graph, id, colour);
            }
            figures[at].added |= options.added.contains(&node.name);
            figure_of.insert(id, at);
        }
        for (figure, content) in figures.iter_mut().zip(&contents) {
            if matches!(figure.stands, Stands::Block | Stands::Layer) {
                figure.fill = content.fill(figure.fill);
                figure.parameters = content.trained + content.frozen + content.unused;
                figure.lines.extend(content.lines(figure.stands));
            }
        }
        let mut edges = BTreeSet::new();
        let mut give = |id: NodeId, from: usize| {
            let shape = graph
                .ty(id)
                .to_string()
                .trim_start_matches("f32")
                .to_owned();
            figures[from].gives.insert(shape.clone());
            shape
        };
        for (&id, &to) in &figure_of {
            for input in graph.inputs(id) {
                if let Some(&from) = figure_of.get(&input)
                    && from != to
                {
                    edges.insert((from, to, give(input, from)));
                }
            }
        }
        // What nobody reads is the output of the network.
        for id in graph.outputs().values() {
            if let Some(&from) = figure_of.get(id)
                && figures[from].gives.is_empty()
            {
                let shape = graph.ty(*id).to_string();
                figures[from]
                    .gives
                    .insert(shape.trim_start_matches("f32").to_owned());
            }
        }
        Drawing { figures, edges }
    }
}
