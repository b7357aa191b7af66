//! Everything a file asks for besides the network itself.

use std::collections::BTreeMap;

use super::state::{PlacedRule, Size};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::experiment::{DataSettings, PredictConfig, Resolved, TrainConfig};
use crate::names::NameMap;
use crate::syntax::span::Span;

/// Everything a file asks for besides the network itself, which depends on a size.
#[derive(Clone, Debug)]
pub struct Study {
    /// The file of the model.
    pub(super) model_module: usize,
    /// Its name.
    pub model: String,
    /// The settings it is given.
    pub(super) given: BTreeMap<String, Value>,
    /// The file that was asked for.
    pub(super) main_module: usize,
    /// The lists of names of all files, with the file of each.
    pub(super) names: Vec<(usize, NameMap)>,
    /// Rules of the chosen rewrites.
    pub(super) rules: Vec<PlacedRule>,
    /// Whether the file has a `train` section.
    pub has_train: bool,
    /// The `train` section, defaults where there is none.
    pub train: TrainConfig,
    /// The place of its loss, if it is given.
    pub(super) loss: Option<Span>,
    /// The data to train on.
    pub data: Option<DataSettings>,
    /// The `predict` section, defaults where there is none.
    pub predict: PredictConfig,
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

    /// The names of the lists of names in the main file and in the file of the model.
    pub fn names_known(&self) -> Vec<&str> {
        let known = self.names.iter();
        let known =
            known.filter(|(index, _)| [self.main_module, self.model_module].contains(index));
        known.map(|(_, map)| map.name.as_str()).collect()
    }

    /// The size of the network's input for a batch, as the data gives it.
    pub fn size(&self, batch: usize) -> Size {
        let data = self.data.as_ref();
        let preprocessing = data.map(|data| data.preprocessing.clone());
        let [height, width] = preprocessing.unwrap_or_default().size;
        Size {
            batch,
            channels: 1,
            height,
            width,
        }
    }
}
