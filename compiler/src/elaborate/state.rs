//! What elaboration keeps while it runs: names in scope, the network under construction, what was found, and limits.
//!
//! The files that evaluate, call and load build on this one.

use std::collections::BTreeMap;

use super::project::Module;
use super::value::Value;
use crate::diagnostic::{Diagnostic, error};
use crate::graph::{Graph, NodeId};
use crate::ops::LayerInfo;
use crate::passes::rewrite::Rule;
use crate::setting::Settings;
use crate::syntax::span::{FileId, Sources, Span, World};

/// How many expressions and statements one elaboration may evaluate.
const MAX_STEPS: usize = 500_000;

/// How deep statements, expressions and blocks may nest while they are evaluated.
const MAX_DEPTH: usize = 320;

/// How many errors are reported at most.
const MAX_ERRORS: usize = 30;

/// Something failed, and was reported.
#[derive(Clone, Copy, Debug)]
pub struct Reported;

/// The result of an evaluation.
pub type Outcome<T> = Result<T, Reported>;

/// The size of a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Samples at once.
    pub batch: usize,
    /// Channels of a sample.
    pub channels: usize,
    /// Rows of a sample.
    pub height: usize,
    /// Columns of a sample.
    pub width: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size {
            batch: 1,
            channels: 1,
            height: 256,
            width: 256,
        }
    }
}

/// A layer of a network: one call of a layer function, with all that is needed to make it again.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its path.
    pub path: String,
    /// The layer function, such as `conv`.
    pub function: &'static LayerInfo,
    /// The tensors it was given.
    pub inputs: Vec<NodeId>,
    /// The settings it was given, defaults filled in.
    pub settings: Settings,
    /// Its output.
    pub output: NodeId,
}

/// A rule and its place in the source.
#[derive(Clone, Debug)]
pub struct PlacedRule {
    /// The rule.
    pub rule: Rule,
    /// Its place.
    pub span: Span,
    /// Whether it is an annotation, not part of a `rewrite`.
    pub from_annotation: bool,
}

/// What a name is bound to inside a block or a model.
#[derive(Clone, Debug)]
pub enum Local {
    /// `x = ...`
    Plain(Value),
    /// `e[i] = ...`, by index.
    Family(BTreeMap<Vec<i64>, Value>),
}

/// The scope of an expression: the module, and the names bound inside the block.
#[derive(Clone, Debug)]
pub struct Frame<'m> {
    /// The file.
    pub module: &'m Module,
    /// Bound names.
    pub locals: BTreeMap<String, Local>,
    /// Prefix of the paths of layers; empty in a model.
    pub prefix: String,
    /// Counters of the enclosing `repeat`s.
    pub loops: Vec<(String, i64)>,
    /// Whether names may be missing because a statement failed.
    pub unsure: bool,
    /// Whether this is a model, not a block.
    pub model: bool,
}

impl<'m> Frame<'m> {
    /// The top level of a file.
    pub fn of(module: &'m Module) -> Frame<'m> {
        Frame {
            module,
            locals: BTreeMap::new(),
            prefix: String::new(),
            loops: Vec::new(),
            unsure: false,
            model: false,
        }
    }

    /// Whether a variable of that name is in scope.
    pub fn binds(&self, name: &str) -> bool {
        self.locals.contains_key(name) || self.module.lets.contains_key(name)
    }

    /// `name` below the prefix.
    pub fn join(&self, name: &str) -> String {
        match self.prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.prefix),
        }
    }

    /// `with i = 3` of the enclosing repeats, for a label.
    pub fn counters(&self) -> String {
        let counters = self.loops.iter().map(|(name, at)| format!("{name} = {at}"));
        let counters: Vec<_> = counters.collect();
        match counters.is_empty() {
            true => String::new(),
            false => format!("with {}", counters.join(", ")),
        }
    }
}

/// The path that the layer of an expression will have.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The path of the outermost call, if it is bound to a name.
    pub exact: Option<String>,
    /// Prefix of the paths of the calls inside it.
    pub base: String,
}

impl Place {
    /// For calls without a name of their own, in this frame.
    pub fn within(frame: &Frame) -> Place {
        Place {
            exact: None,
            base: frame.prefix.clone(),
        }
    }

    /// For the calls inside the outermost one.
    pub fn inner(&self) -> Place {
        Place {
            exact: None,
            base: self.base.clone(),
        }
    }
}

/// A block being expanded.
#[derive(Clone, Debug)]
pub struct Active {
    /// Its file.
    pub file: FileId,
    /// Its name.
    pub name: String,
    /// The call.
    pub site: Span,
}

/// The model under elaboration: its settings, and its declarations so far.
#[derive(Debug, Default)]
pub struct Declared {
    /// The size of its input.
    pub size: Size,
    /// Its input.
    pub input: Option<(String, NodeId)>,
    /// Its heads, and where each is declared.
    pub outputs: Vec<(NodeId, Span)>,
    /// The layers marked `@unused`.
    pub unused: Vec<Unused>,
}

/// Layers whose parameters exist, but which are never computed.
#[derive(Debug)]
pub struct Unused {
    /// The path of the layer or the block.
    pub path: String,
    /// The annotation.
    pub span: Span,
    /// Its nodes, by their numbers.
    pub nodes: std::ops::Range<usize>,
    /// Its layers, by their numbers.
    pub layers: std::ops::Range<usize>,
}

/// What is compiled.
#[derive(Clone, Copy)]
pub struct Texts<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// Environment variables.
    pub world: &'a dyn World,
    /// All files.
    pub modules: &'a [Module],
}

/// The network under construction.
#[derive(Default)]
pub struct Construction {
    /// Whether layers may be called here.
    pub open: bool,
    /// Whether normalisations train.
    pub training: bool,
    /// The network so far.
    pub graph: Graph,
    /// Its layers in order.
    pub layers: Vec<Layer>,
    /// The call that made each output of a layer.
    pub made: BTreeMap<NodeId, Span>,
    /// Rules of annotations.
    pub rules: Vec<PlacedRule>,
    /// The model.
    pub declared: Declared,
    /// Blocks being expanded, the outermost first.
    pub calls: Vec<Active>,
    /// Paths that are taken, and the number that the next one of that name gets.
    paths: BTreeMap<String, usize>,
}

impl Construction {
    /// A path that no other layer has: `path`, else `path2`, `path3`, ...
    pub fn unique(&mut self, path: String) -> String {
        let gap = if path.ends_with(']') { "_" } else { "" };
        let mut free = path.clone();
        while self.paths.contains_key(&free) {
            let number = self.paths.entry(path.clone()).or_insert(1);
            *number += 1;
            free = format!("{path}{gap}{number}");
        }
        self.paths.insert(free.clone(), 1);
        free
    }
}

/// What was found.
#[derive(Default)]
pub struct Findings {
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// What is remarkable but no error.
    pub warnings: Vec<Diagnostic>,
}

/// How far an evaluation has come, against the limits.
#[derive(Default)]
struct Progress {
    depth: usize,
    steps: usize,
    stopped: bool,
}

/// Evaluates expressions, and collects the graph, the rules and the errors that they make.
pub struct Elaborator<'a> {
    /// What is compiled.
    pub texts: Texts<'a>,
    /// The network under construction.
    pub network: Construction,
    /// What was found.
    pub found: Findings,
    progress: Progress,
}

impl<'a> Elaborator<'a> {
    /// An elaborator without a network.
    pub fn new(sources: &'a Sources, world: &'a dyn World, modules: &'a [Module]) -> Self {
        Elaborator {
            texts: Texts {
                sources,
                world,
                modules,
            },
            network: Construction::default(),
            found: Findings::default(),
            progress: Progress::default(),
        }
    }

    /// Reports an error once per place; inside blocks the calls that led there are shown.
    pub fn fail(&mut self, mut error: Diagnostic) -> Reported {
        for active in self.network.calls.iter().rev().take(2) {
            error = error.see(active.site, format!("in this call of `{}`", active.name));
        }
        let place = |d: &Diagnostic| d.labels.first().map(|label| label.span);
        let errors = &mut self.found.errors;
        let known = errors
            .iter()
            .any(|old| old.code == error.code && place(old) == place(&error));
        if !known && errors.len() < MAX_ERRORS {
            errors.push(error);
        }
        if errors.len() >= MAX_ERRORS {
            self.progress.stopped = true;
        }
        Reported
    }

    /// Reports an error after which nothing more is evaluated.
    pub fn stop(&mut self, error: Diagnostic) -> Reported {
        self.progress.stopped = true;
        self.fail(error)
    }

    /// Reports something that is remarkable but no error.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.found.warnings.push(warning);
    }

    /// Whether nothing more is to be evaluated.
    pub fn is_stopped(&self) -> bool {
        self.progress.stopped
    }

    /// Counts a step of evaluation one level down; [`Elaborator::leave`] goes up again.
    pub fn enter(&mut self, span: Span) -> Outcome<()> {
        self.charge(1, span)?;
        if self.progress.depth >= MAX_DEPTH {
            return Err(self.stop(error!(
                "limit::depth" at span, "blocks and values nest too deeply"; here: "stopped here"
            )));
        }
        self.progress.depth += 1;
        Ok(())
    }

    /// Counts steps of work, such as the copies that a long list takes.
    pub fn charge(&mut self, steps: usize, span: Span) -> Outcome<()> {
        if self.progress.stopped {
            return Err(Reported);
        }
        self.progress.steps += steps;
        if self.progress.steps > MAX_STEPS {
            return Err(self.stop(error!(
                "limit::steps" at span, "this takes more than {MAX_STEPS} steps to work out"; here: "stopped here"
            )));
        }
        Ok(())
    }

    /// The steps that were counted.
    pub fn steps(&self) -> usize {
        self.progress.steps
    }

    /// Ends the level that [`Elaborator::enter`] began.
    pub fn leave(&mut self) {
        self.progress.depth -= 1;
    }
}
