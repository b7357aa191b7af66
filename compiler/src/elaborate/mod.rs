//! Syntax tree to graph: evaluates settings, resolves names, calls each layer's shape rule, and
//! names every layer by a stable path.
//!
//! A layer's path is the name its statement binds (`e[2]`), below the path of the block it lies in
//! (`e[2].conv1`). A name bound inside a `repeat` carries the counters (`up[3]`). A call without a
//! name of its own goes by its function's (`e[2].relu`), with a number from the second on
//! (`e[2].relu2`). `@qpg` and rules outside the model name these paths.

mod call;
mod evaluate;
mod fit;
mod load;
mod names;
mod network;
mod resolve;
mod rules;
mod sections;
mod value;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::experiment::{DataConfig, Loss, PredictConfig, Resolved, SweepAxis, TrainConfig};
use crate::graph::{Graph, NodeId};
use crate::names::NameMap;
use crate::passes::rewrite::Rule;
use crate::syntax::span::{Sources, Span, World};

pub use fit::fitting;
pub use load::{Module, Project, load};
pub use resolve::{Copied, resolved};
pub use rules::apply;
pub use sections::print_start;
use value::Value;

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

/// A layer of a network: one call of a layer function.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its path.
    pub path: String,
    /// The layer function, such as `conv`.
    pub function: &'static str,
    /// The call.
    pub span: Span,
    /// The tensors it was given.
    pub inputs: Vec<NodeId>,
    /// Its output.
    pub output: NodeId,
}

/// A rule and where it stands.
#[derive(Clone, Debug)]
pub struct PlacedRule {
    /// The rule.
    pub rule: Rule,
    /// Where it stands.
    pub span: Span,
    /// Whether it is an annotation, not part of a `rewrite`.
    pub from_annotation: bool,
}

/// Input and output of an elaborated model.
struct Given {
    input: String,
    input_id: NodeId,
    output: NodeId,
}

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
    /// What annotations and rewrites ask for.
    pub rules: Vec<PlacedRule>,
    /// Where the output of each layer was made.
    pub made: BTreeMap<NodeId, Span>,
}

/// Everything a file asks for besides the network itself, which depends on a size.
#[derive(Clone, Debug)]
pub struct Study {
    /// Where the model lies: its file.
    model_module: usize,
    /// Its name.
    pub model: String,
    /// The settings it is given.
    given: BTreeMap<String, Value>,
    /// The file that was asked for.
    main_module: usize,
    /// The lists of names of all files, with the file of each.
    names: Vec<(usize, NameMap)>,
    /// Rules of the chosen rewrites.
    rules: Vec<PlacedRule>,
    /// Whether the file has a `train` section.
    pub has_train: bool,
    /// The `train` section, defaults where there is none.
    pub train: TrainConfig,
    /// Where its loss stands, if it is given.
    loss: Option<Span>,
    /// The data to train on.
    pub data: Option<DataConfig>,
    /// The `predict` section, defaults where there is none.
    pub predict: PredictConfig,
    /// The `sweep` section.
    pub sweep: Vec<SweepAxis>,
    /// Every setting with its origin.
    pub resolved: Vec<Resolved>,
    /// What is remarkable but no error.
    pub warnings: Vec<Diagnostic>,
}

impl Study {
    /// The list of names called `name` in the main file, else in the file of the model.
    pub fn names(&self, name: &str) -> Option<&NameMap> {
        let of = |module: usize| {
            let mut names = self.names.iter();
            names.find(move |(index, map)| *index == module && map.name == name)
        };
        let found = of(self.main_module).or_else(|| of(self.model_module));
        found.map(|(_, map)| map)
    }

    /// What the lists of names of the main file and of the model's file go by.
    pub fn names_known(&self) -> Vec<&str> {
        let known = self.names.iter();
        let known =
            known.filter(|(index, _)| [self.main_module, self.model_module].contains(index));
        known.map(|(_, map)| map.name.as_str()).collect()
    }

    /// The size of the network's input for a batch, as the data gives it.
    pub fn size(&self, batch: usize) -> Size {
        let [height, width] = self.data.as_ref().map_or([256, 256], |data| data.size);
        Size {
            batch,
            channels: 1,
            height,
            width,
        }
    }
}

/// Makes the network of a study for an input size.
///
/// `training` lets normalisations use the statistics of the batch, and move their running ones.
///
/// Errors: everything that is wrong in the model and the blocks it calls.
pub fn network(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
    study: &Study,
    size: Size,
    training: bool,
) -> Result<Network, Vec<Diagnostic>> {
    let mut elaborator = evaluate::Elaborator::new(sources, world, &project.modules);
    elaborator.in_network = true;
    elaborator.training = training;
    let module = &project.modules[study.model_module];
    let mut frame = evaluate::Frame::of(module);
    let Some(model) = module.model(&study.model) else {
        let message = format!("there is no model called `{}`", study.model);
        return Err(vec![Diagnostic::error("name::unknown", message)]);
    };
    let given = elaborator.model(model, study.given.clone(), &mut frame, size);
    let (Ok(given), true) = (given, elaborator.errors.is_empty()) else {
        return Err(elaborator.errors);
    };
    if let Some(error) = misfit(&elaborator, study, given.output) {
        return Err(vec![error]);
    }
    let mut rules = elaborator.rules;
    rules.extend(study.rules.iter().cloned());
    let errors = rules::settle(&elaborator.graph, &mut rules);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Network {
        graph: elaborator.graph,
        model: study.model.clone(),
        input: given.input,
        input_id: given.input_id,
        output: given.output,
        layers: elaborator.layers,
        rules,
        made: elaborator.made,
    })
}

/// A loss that does not go with the number of classes.
fn misfit(elaborator: &evaluate::Elaborator, study: &Study, output: NodeId) -> Option<Diagnostic> {
    if !study.has_train {
        return None;
    }
    let ty = elaborator.graph.ty(output);
    let classes = ty.as_image().map(|[_, classes, _, _]| classes);
    let (message, help) = match classes {
        Err(_) => (
            "a network that is trained gives a feature map".to_owned(),
            "one channel per class, as high and wide as the input",
        ),
        Ok(classes) => {
            let wrong = study.train.loss.iter().find(|(_, loss)| match loss {
                Loss::CrossEntropy => classes < 2,
                Loss::Bce | Loss::Dice => classes != 1,
            });
            let name = Loss::ALL
                .iter()
                .find(|(_, loss)| Some(loss) == wrong.map(|(_, l)| l));
            let (name, loss) = name?;
            let wanted = match loss {
                Loss::CrossEntropy => "two or more channels",
                Loss::Bce | Loss::Dice => "one channel",
            };
            let help = match loss {
                Loss::CrossEntropy => "use `bce`, or give the model more classes",
                Loss::Bce | Loss::Dice => "use `cross_entropy` for two or more classes",
            };
            (
                format!("the loss `{name}` needs {wanted}, the output has {classes}"),
                help,
            )
        }
    };
    let mut error = Diagnostic::error("train::classes", message);
    if let Some(span) = study.loss {
        error = error.at(span, "");
    }
    if let Some(&made) = elaborator.made.get(&output) {
        error = error.see(made, format!("the output is {ty}"));
    }
    Some(error.help(help))
}

/// The lists of names in the file that was asked for, which needs no model.
///
/// Errors: everything that is wrong in the lists of all files.
pub fn name_lists(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
) -> Result<Vec<NameMap>, Vec<Diagnostic>> {
    let mut elaborator = evaluate::Elaborator::new(sources, world, &project.modules);
    elaborator.errors.clone_from(&project.errors);
    let lists = names::all(&mut elaborator);
    if !elaborator.errors.is_empty() {
        return Err(elaborator.errors);
    }
    let main = project.main_index();
    let lists = lists.into_iter().filter(|(index, _)| *index == main);
    Ok(lists.map(|(_, map)| map).collect())
}

/// Resolves the sections of a project: which model with which settings, on which data, how.
///
/// Errors: everything that is wrong in the sections and in `-s`.
pub fn study(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
) -> Result<Study, Vec<Diagnostic>> {
    sections::study(sources, world, project)
}
