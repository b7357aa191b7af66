//! The network of a study: its model elaborated at one size, with the rules that belong to it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::project::Project;
use super::rules::settle;
use super::state::{Elaborator, Frame, Layer, PlacedRule, Size};
use super::statements::Given;
use super::study::Study;
use crate::diagnostic::{Diagnostic, error};
use crate::experiment::Loss;
use crate::graph::{Graph, NodeId};
use crate::passes::rewrite::{self, RewriteError, Rule};
use crate::syntax::span::{Sources, World};

/// How many rules annotations and rewrites may make together. Each is tried on each layer.
const MAX_RULES: usize = 1000;

/// A network of one size.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its graph, before any rule is applied; the output is called `output`.
    pub graph: Graph,
    /// The model's name.
    pub model: String,
    /// The name of the input node.
    pub input: String,
    /// The input node.
    pub input_id: NodeId,
    /// The output node: logits.
    pub output: NodeId,
    /// The layers in the order of the source.
    pub layers: Vec<Layer>,
    /// The layers that are never computed, as ranges of [`Network::layers`] in the order in which they were set aside.
    pub(super) unused: Vec<Range<usize>>,
    /// What annotations and rewrites ask for.
    pub rules: Vec<PlacedRule>,
}

/// Makes the network of a study for an input size.
///
/// `training` lets normalisations use the statistics of the batch, and move their running ones.
///
/// # Errors
/// Everything that is wrong in the model and the blocks it calls.
pub fn network(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
    study: &Study,
    size: Size,
    training: bool,
) -> Result<Network, Vec<Diagnostic>> {
    let mut elaborator = Elaborator::new(sources, world, &project.modules);
    elaborator.network.open = true;
    elaborator.network.training = training;
    let module = &project.modules[study.model_module];
    let mut frame = Frame::of(module);
    let Some(model) = module.model(&study.model) else {
        let message = format!("there is no model called `{}`", study.model);
        return Err(vec![Diagnostic::error("name::unknown", message)]);
    };
    let given = elaborator.model(model, study.given.clone(), &mut frame, size);
    let (Ok(given), true) = (given, elaborator.found.errors.is_empty()) else {
        return Err(elaborator.found.errors);
    };
    if let Some(error) = misfit(&elaborator, study, &given, size) {
        return Err(vec![error]);
    }
    let mut rules = elaborator.network.rules;
    rules.extend(study.rules.iter().cloned());
    if let Some(placed) = rules.get(MAX_RULES) {
        let error = error!(
            "limit::rules" at placed.span, "a network takes at most {MAX_RULES} rules";
            here: "this is one too many";
            help: "one rule such as `e[*].conv1 => qpg()` names many layers"
        );
        return Err(vec![error]);
    }
    let errors = settle(&elaborator.network.graph, &mut rules);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Network {
        graph: elaborator.network.graph,
        model: study.model.clone(),
        input: given.input,
        input_id: given.input_id,
        output: given.output,
        layers: elaborator.network.layers,
        unused: given.unused,
        rules,
    })
}

/// What stops a network from being trained as the study says: an output that is no map, of another size than the
/// target, or with channels that do not fit the loss or the target.
fn misfit(elaborator: &Elaborator, study: &Study, given: &Given, size: Size) -> Option<Diagnostic> {
    if !study.has_train {
        return None;
    }
    let ty = elaborator.network.graph.ty(given.output);
    let (code, message, help) = match ty.as_image() {
        Err(_) => (
            "train::classes",
            "a network that is trained gives a feature map".to_owned(),
            "one channel per class, as high and wide as the input",
        ),
        Ok([_, _, height, width]) if [height, width] != [size.height, size.width] => {
            let target = format!("{} x {}", size.height, size.width);
            let error = error!(
                "train::size" at given.output_span, "the output is {height} x {width}, the target {target}";
                here: "{ty}";
                help: "`resize` brings a map to another size"
            );
            return Some(error);
        }
        Ok([_, classes, ..]) => {
            let (message, help) = wrong_loss(study, classes)?;
            ("train::classes", message, help)
        }
    };
    let error = match study.loss {
        Some(span) => Diagnostic::error(code, message).at(span, ""),
        None => Diagnostic::error(code, message),
    };
    let error = error.help(help);
    Some(match elaborator.network.made.get(&given.output) {
        Some(&made) => error.see(made, format!("the output is {ty}")),
        None => error,
    })
}

/// The message for a term of the loss that does not fit the number of classes, and its help.
fn wrong_loss(study: &Study, classes: usize) -> Option<(String, &'static str)> {
    let terms = study.train.loss.iter().map(|(_, loss)| *loss);
    let mut found = terms.filter_map(|loss| {
        let name = Loss::ALL.iter().find(|(_, other)| *other == loss)?.0;
        match loss {
            Loss::CrossEntropy if classes < 2 => Some((
                format!("the loss `{name}` needs two or more channels, the output has {classes}"),
                "use `bce`, or give the model more classes",
            )),
            // Every source of data gives one mask: classes from 2 on would never occur.
            Loss::CrossEntropy if study.data.is_some() => Some((
                format!("the loss `{name}` needs a target of several classes, and the data give one mask"),
                "use `bce + dice` with an output of one channel; there is no data of several classes yet",
            )),
            Loss::Bce | Loss::Dice if classes != 1 => Some((
                format!("the loss `{name}` needs one channel, the output has {classes}"),
                "give the model one class: the data have one mask",
            )),
            _ => None,
        }
    });
    found.next()
}

/// Applies the rules of a network to its graph, and removes what its output does not need.
///
/// # Errors
/// Rules that match nothing or fight over one weight.
pub fn apply(network: &mut Network) -> Result<(), Vec<Diagnostic>> {
    let rules: Vec<Rule> = network
        .rules
        .iter()
        .map(|placed| placed.rule.clone())
        .collect();
    let applied = rewrite::apply(&mut network.graph, &rules);
    network.graph.prune();
    let left: BTreeSet<_> = network.graph.ids().collect();
    network.layers.retain(|layer| left.contains(&layer.output));
    applied.map_err(|errors| {
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for error in errors {
            let diagnostic = refusal(network, error);
            // Two rules may fight over thousands of layers: that is told once.
            let known = diagnostics
                .iter()
                .any(|old| old.code == diagnostic.code && old.labels == diagnostic.labels);
            if !known {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics
    })
}

/// Why a rule cannot be applied, at its place.
fn refusal(network: &Network, error: RewriteError) -> Diagnostic {
    let span = |index: usize| network.rules.get(index).map(|placed| placed.span);
    let code = match error.other {
        Some(_) => "rule::conflict",
        None if error.message.starts_with("no layer") => "rule::unmatched",
        None => "rule::refused",
    };
    let mut diagnostic = Diagnostic::error(code, error.message);
    if let Some(span) = span(error.rule) {
        diagnostic = diagnostic.at(span, "");
    }
    if let Some(span) = error.other.and_then(span) {
        diagnostic = diagnostic.see(span, "this rule names it as well");
    }
    diagnostic.maybe_help(error.help)
}
