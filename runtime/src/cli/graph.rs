//! `hqcc graph`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hqcc_compiler::Compiled;
use hqcc_compiler::dot::{DotOptions, readable_depth, to_dot};
use hqcc_compiler::graph::{Graph, NodeId};
use hqcc_compiler::passes::fuse::fuse;
use hqcc_compiler::plan;

use super::Failure;
use super::args::{SourceArgs, print};
use super::messages::MessageFormat;
use super::open::open;
use crate::durable::replace_file;

/// How far the graph has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// As the source says.
    Source,
    /// After the rewrite rules: generated weights are in place.
    #[default]
    Qpg,
    /// A whole training step: loss, gradients, optimiser.
    Autodiff,
    /// The training step with chains of element-wise operations joined, as a GPU runs it.
    Fuse,
}

/// A pass whose changes can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pass {
    /// The rewrite rules.
    Qpg,
}

/// Print the network as DOT, the language of Graphviz, at any stage of the compiler.
///
/// Blocks are drawn as clusters or, below a depth, as boxes; without --depth the greatest one is taken at which the picture
/// is still read on a screen. Boxes carry the shape of what they give. Violet is what circuits generate, green what
/// low-rank products adapt, grey what is frozen; blue edges skip.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc graph first.hqc | dot -Tsvg > first.svg\n  \
    hqcc graph first.hqc --depth 1 -o overview.dot    one box per block\n  \
    hqcc graph first.hqc --nodes -o nodes.dot         every node, parameters too\n  \
    hqcc graph first.hqc --after autodiff -o step.dot\n  \
    hqcc graph first.hqc --diff qpg -o diff.dot       what the rewrite rules changed")]
pub struct GraphCommand {
    #[command(flatten)]
    source: SourceArgs,
    /// The stage to show.
    #[arg(long, value_enum, default_value_t)]
    after: Stage,
    /// Show blocks nested deeper than this as one box each; 1 is the outermost level.
    #[arg(long, value_name = "N")]
    depth: Option<NonZeroUsize>,
    /// Show every node, parameters and what lies within layers too.
    #[arg(long)]
    nodes: bool,
    /// Mark what a pass added and took away.
    #[arg(long, value_enum, value_name = "PASS", conflicts_with = "after")]
    diff: Option<Pass>,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl GraphCommand {
    /// Prints the graph.
    pub fn run(self) -> Result<(), Failure> {
        let path = self.source.file.display().to_string();
        let experiment = open(&path, &self.source.set, MessageFormat::Human)?;
        let batch = experiment.study().train.batch;
        let mut options = DotOptions {
            title: experiment.study().model.clone(),
            depth: self.depth,
            nodes: self.nodes,
            ..DotOptions::default()
        };
        let graph = match self.diff {
            Some(Pass::Qpg) => {
                let size = experiment.size(batch);
                let mut before = experiment.source_network(size, true)?.graph;
                // What is never computed is not something that the rules took away.
                before.prune();
                let after = experiment.network(size, true)?.graph;
                let (old, new) = (names(&before), names(&after));
                options.added = &new - &old;
                options.removed = &old - &new;
                after
            }
            None => {
                let graph = staged(&experiment, self.after, batch)?;
                if self.after == Stage::Fuse {
                    options.joined = joined(&graph)?;
                }
                graph
            }
        };
        if options.depth.is_none() && !options.nodes {
            let (readable, deepest) = readable_depth(&graph);
            options.depth = Some(readable);
            options.note = format!(
                "Depth {readable} of {deepest}, chosen for a screen. --depth {deepest} shows every layer, --nodes every node."
            );
        }
        let dot = to_dot(&graph, &options);
        match self.output {
            None => print(&dot),
            Some(path) => replace_file(&path, dot.as_bytes())
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display()))),
        }
    }
}

fn staged(experiment: &Compiled<'_>, stage: Stage, batch: usize) -> Result<Graph, Failure> {
    Ok(match stage {
        Stage::Source => {
            experiment
                .source_network(experiment.size(batch), true)?
                .graph
        }
        Stage::Qpg => experiment.network(experiment.size(batch), true)?.graph,
        Stage::Autodiff | Stage::Fuse => experiment.train(experiment.size(batch))?.graph,
    })
}

/// The nodes that a GPU computes in the kernel of another one, and that one.
fn joined(graph: &Graph) -> Result<BTreeMap<NodeId, NodeId>, Failure> {
    let fusions = fuse(graph, &plan::capabilities())?;
    let nodes = fusions.iter().flat_map(|fusion| {
        let links = fusion.links().iter();
        links.map(|link| (link.node, fusion.result()))
    });
    Ok(nodes.collect())
}

fn names(graph: &Graph) -> BTreeSet<String> {
    graph.ids().map(|id| graph.name(id).to_owned()).collect()
}
