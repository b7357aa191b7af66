//! The rewrite pass: layers' weights given by circuits, adapted, or frozen, by rules on paths.
//!
//! What can be done to a layer is a [`Method`]: a file of this folder and a line in [`METHODS`]. What becomes of a
//! circuit's readout is a [`Post`]: a file of `posts/` and a line in [`POSTS`].

mod conv_lora;
mod freeze;
mod generation;
mod path;
mod posts;
mod qpg;
mod qpga;

use std::fmt;

pub use path::matches;
use path::matches_above;
pub use posts::{POSTS, Post};

use crate::graph::{Graph, Init, NodeId, Parameter, ParameterKind, Patch, WeightKind};
use crate::ops::{Conv2d, ConvTranspose2d};
use crate::setting::{Setting, SettingValue, Settings};
use crate::tensor_type::{ShapeError, TensorType};

/// Something that can be done to layers: a word of the language.
pub struct Method {
    /// The word.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// Its settings, all given by name.
    pub settings: fn() -> Vec<&'static Setting>,
    /// What it does.
    pub does: Does,
}

/// What a method changes. The settings are those that were given, without defaults.
#[derive(Clone, Copy)]
pub enum Does {
    /// Parameters: all below a path, before any weight is replaced.
    Parameters(fn(&mut Graph, &[NodeId], &Settings) -> Result<(), ShapeError>),
    /// The weight of a layer: gives the node that the layer reads in its place.
    Weight(fn(&mut Patch<'_>, &Site, &Settings) -> Result<NodeId, ShapeError>),
}

/// Every method, by name.
pub const METHODS: &[Method] = &[conv_lora::METHOD, freeze::METHOD, qpg::METHOD, qpga::METHOD];

/// The method of that name.
pub fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The weight that a method works on.
pub struct Site {
    /// The path of its layer.
    pub layer: String,
    /// The parameter.
    pub weight: NodeId,
    /// Its type.
    pub ty: TensorType,
    /// Which of its axes are outputs and inputs.
    pub kind: WeightKind,
    /// Groups of the convolution that reads it; 1 for other layers.
    pub groups: usize,
}

impl Site {
    fn new(graph: &Graph, weight: NodeId, kind: WeightKind) -> Site {
        Site {
            layer: graph.layer(weight).to_owned(),
            weight,
            ty: graph.ty(weight).clone(),
            kind,
            groups: groups(graph, weight),
        }
    }

    /// Takes the weight itself out of training.
    ///
    /// # Errors
    /// None in practice; the type stays.
    pub fn freeze(&self, patch: &mut Patch<'_>) -> Result<(), ShapeError> {
        let Some(parameter) = patch.graph().op::<Parameter>(self.weight).cloned() else {
            return Ok(());
        };
        let kind = ParameterKind::Frozen;
        patch.set_op(self.weight, Parameter { kind, ..parameter })
    }
}

/// The groups of the convolution behind a weight, which may be standardised on its way there.
fn groups(graph: &Graph, weight: NodeId) -> usize {
    let mut open = vec![weight];
    while let Some(id) = open.pop() {
        for user in graph.users(id) {
            if let Some(conv) = graph.op::<Conv2d>(user) {
                return conv.groups;
            }
            if let Some(transposed) = graph.op::<ConvTranspose2d>(user) {
                return transposed.conv.groups;
            }
            if graph.ty(user) == graph.ty(weight) {
                open.push(user);
            }
        }
    }
    1
}

/// A trained parameter that a method adds.
fn trained(ty: TensorType, init: Init) -> Parameter {
    Parameter {
        ty,
        kind: ParameterKind::Trained,
        init,
        weight: None,
    }
}

/// A rule: a path pattern and what happens there.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Path of a layer; `*` stands for any text within one segment, `**` for any number of segments.
    pub path: String,
    /// What happens.
    pub method: &'static Method,
    /// The settings that were given.
    pub settings: Settings,
}

impl Rule {
    /// A rule without settings; `None` when there is no such method.
    pub fn new(path: impl Into<String>, name: &str) -> Option<Rule> {
        Some(Rule {
            path: path.into(),
            method: method(name)?,
            settings: Settings::default(),
        })
    }

    /// The rule with one more setting.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: SettingValue) -> Rule {
        self.settings.0.insert(name, value);
        self
    }
}

/// Why a rule cannot be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct RewriteError {
    /// Index of the rule.
    pub rule: usize,
    /// A second rule that it fights with.
    pub other: Option<usize>,
    /// One lower-case sentence.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

fn weights(graph: &Graph) -> Vec<(NodeId, WeightKind)> {
    let used = |id: NodeId| {
        let parameter = graph.op::<Parameter>(id)?;
        let kind = parameter.weight?;
        (parameter.kind != ParameterKind::Unused).then_some((id, kind))
    };
    graph.ids().filter_map(used).collect()
}

/// The paths of all layers whose weight a method can work on.
pub fn layers(graph: &Graph) -> Vec<String> {
    weights(graph)
        .into_iter()
        .map(|(id, _)| graph.layer(id).to_owned())
        .collect()
}

/// Applies rules in order: first those on parameters, then those on weights.
///
/// # Errors
/// All rules that match nothing, that do not fit what they match, and all pairs that fight over one weight.
pub fn apply(graph: &mut Graph, rules: &[Rule]) -> Result<(), Vec<RewriteError>> {
    let mut errors = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let Does::Parameters(change) = rule.method.does else {
            continue;
        };
        let found: Vec<_> = graph
            .ids()
            .filter(|&id| {
                graph
                    .op::<Parameter>(id)
                    .is_some_and(|p| p.kind != ParameterKind::Unused)
                    && matches_above(&rule.path, graph.name(id))
            })
            .collect();
        if found.is_empty() {
            errors.push(unmatched(graph, at, &rule.path));
        } else if let Err(error) = change(graph, &found, &rule.settings) {
            errors.push(refused(at, error));
        }
    }
    let mut claimed: Vec<(NodeId, usize)> = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let Does::Weight(change) = rule.method.does else {
            continue;
        };
        let found: Vec<_> = weights(graph)
            .into_iter()
            .filter(|&(id, _)| matches(&rule.path, graph.layer(id)))
            .collect();
        if found.is_empty() {
            errors.push(unmatched(graph, at, &rule.path));
        }
        for (id, kind) in found {
            if let Some(&(_, other)) = claimed.iter().find(|(taken, _)| *taken == id) {
                let layer = graph.layer(id);
                errors.push(RewriteError {
                    rule: at,
                    other: Some(other),
                    message: format!("two rules fight over the weight of `{layer}`"),
                    help: Some("narrow one path so that each weight is named once".to_owned()),
                });
                continue;
            }
            claimed.push((id, at));
            let site = Site::new(graph, id, kind);
            if let Err(error) = replace(graph, &site, change, &rule.settings) {
                errors.push(refused(at, error));
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Replaces a weight by the node that a method builds; all readers of the weight read that node.
fn replace(
    graph: &mut Graph,
    site: &Site,
    change: fn(&mut Patch<'_>, &Site, &Settings) -> Result<NodeId, ShapeError>,
    settings: &Settings,
) -> Result<(), ShapeError> {
    let mut patch = Patch::new(graph, site.weight);
    let new = change(&mut patch, site, settings)?;
    patch.replace_weight(site.weight, new)?;
    let changes = patch.finish()?;
    graph.apply(changes);
    Ok(())
}

fn refused(rule: usize, error: ShapeError) -> RewriteError {
    RewriteError {
        rule,
        other: None,
        message: error.message,
        help: error.help,
    }
}

fn unmatched(graph: &Graph, rule: usize, path: &str) -> RewriteError {
    let layers = layers(graph);
    let near = layers.iter().max_by(|a, b| {
        strsim::jaro_winkler(a, path)
            .total_cmp(&strsim::jaro_winkler(b, path))
            .then_with(|| b.cmp(a))
    });
    RewriteError {
        rule,
        other: None,
        message: format!("no layer matches `{path}`"),
        help: near
            .map(|near| format!("the nearest layer is `{near}`; `hqcc check` lists them all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_settings_have_one_meaning() {
        assert!(METHODS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(POSTS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for method in METHODS {
            let mut names: Vec<_> = (method.settings)().iter().map(|s| s.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{method:?} has a setting twice");
        }
    }

    #[test]
    fn every_default_can_be_read() {
        for method in METHODS {
            for setting in (method.settings)() {
                assert!(
                    matches!(setting.default, None | Some("auto"))
                        || setting.default_value().is_some(),
                    "{method:?}, {}",
                    setting.name
                );
            }
        }
    }
}
