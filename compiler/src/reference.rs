//! The reference of the language, made from its tables: every name with what it means and takes.

use serde::Serialize;

use crate::codes;
use crate::diagnostic::suggest;
use crate::experiment::{DataSettings, PredictConfig, Source, Typed, Visitor, train};
use crate::measures::MEASURES;
use crate::ops::{LAYERS, OPS};
use crate::passes::loss::Loss;
use crate::passes::optimiser::OPTIMISERS;
use crate::passes::rewrite::{METHODS, POSTS};
use crate::quantum::gates::GATES;
use crate::setting::Setting;

/// One setting, as help shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingText {
    /// Its name.
    pub name: &'static str,
    /// The values that it takes, in words.
    pub values: String,
    /// Its default as the language writes it; `None` where it must be given.
    pub default: Option<String>,
    /// What it does.
    pub doc: &'static str,
}

impl SettingText {
    fn new(setting: &Setting) -> SettingText {
        SettingText {
            name: setting.name,
            values: setting.kind.to_string(),
            default: setting.default.map(str::to_owned),
            doc: setting.doc,
        }
    }
}

/// What one name or code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What it is: `layer`, `setting of train`, `error or warning`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it does or means.
    pub text: String,
    /// What can be set.
    pub settings: Vec<SettingText>,
    /// A file that gives this code.
    pub example: Option<String>,
    /// What to do about this code.
    pub remedy: Option<String>,
}

impl Explanation {
    fn new(kind: &str, name: &str, text: &str, settings: Vec<SettingText>) -> Explanation {
        Explanation {
            kind: kind.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            settings,
            example: None,
            remedy: None,
        }
    }
}

/// A list of settings and the item that has them.
pub struct Group {
    /// `data`, `train`, `predict`, or the name of an optimiser.
    pub name: &'static str,
    /// The group in words: `data NAME = kits19 { ... }`.
    pub title: String,
    /// Its settings, in order.
    pub settings: Vec<SettingText>,
}

/// Lists settings with the values that they have.
#[derive(Default)]
struct Listing(Vec<SettingText>);

impl Visitor for Listing {
    fn visit<T: Typed>(&mut self, setting: &'static Setting, value: &mut T) {
        self.0.push(SettingText {
            default: Some(value.value().to_string()),
            ..SettingText::new(setting)
        });
    }
}

/// The settings of all sections and optimisers.
pub fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for source in Source::all() {
        let mut listing = Listing::default();
        let title = format!("data NAME = {} {{ ... }}", source.word());
        DataSettings::of(source).visit(&mut listing);
        groups.push(Group {
            name: "data",
            title,
            settings: listing.0,
        });
    }
    let records = train::SETTINGS.into_iter().map(SettingText::new);
    groups.push(Group {
        name: "train",
        title: "train { ... }".to_owned(),
        settings: records.collect(),
    });
    let mut listing = Listing::default();
    PredictConfig::default().visit(&mut listing);
    groups.push(Group {
        name: "predict",
        title: "predict { ... }".to_owned(),
        settings: listing.0,
    });
    for optimiser in OPTIMISERS {
        groups.push(Group {
            name: optimiser.name,
            title: format!("optim = {}(...): {}", optimiser.name, optimiser.doc),
            settings: optimiser.settings.iter().map(SettingText::new).collect(),
        });
    }
    groups
}

/// Everything that has a name, besides the diagnostic codes.
fn named() -> Vec<Explanation> {
    let texts = |settings: &[Setting]| settings.iter().map(SettingText::new).collect();
    let mut all = Vec::new();
    for layer in LAYERS {
        let settings = texts(layer.settings);
        all.push(Explanation::new("layer", layer.name, layer.doc, settings));
    }
    for rule in METHODS {
        let settings = (rule.settings)().into_iter().map(SettingText::new);
        all.push(Explanation::new(
            "rule",
            rule.name,
            rule.doc,
            settings.collect(),
        ));
    }
    for post in POSTS {
        let settings = texts(post.settings);
        all.push(Explanation::new(
            "post-processing",
            post.name,
            post.doc,
            settings,
        ));
    }
    for gate in GATES {
        all.push(Explanation::new("gate", gate.name, gate.doc, Vec::new()));
    }
    for (name, loss) in Loss::ALL {
        all.push(Explanation::new("loss", name, loss.doc(), Vec::new()));
    }
    for measure in MEASURES {
        all.push(Explanation::new(
            "measure",
            measure.name,
            measure.doc,
            Vec::new(),
        ));
    }
    for optimiser in OPTIMISERS {
        let settings = texts(optimiser.settings);
        all.push(Explanation::new(
            "optimiser",
            optimiser.name,
            optimiser.doc,
            settings,
        ));
    }
    for group in groups() {
        // Settings of an optimiser are shown with it.
        let section = ["data", "train", "predict"].contains(&group.name);
        for setting in group.settings.into_iter().filter(|_| section) {
            let kind = format!("setting of {}", group.name);
            let same = |old: &Explanation| old.kind == kind && old.name == setting.name;
            // Both sources of data have most of their settings in common.
            if !all.iter().any(same) {
                let name = setting.name.to_owned();
                all.push(Explanation::new(&kind, &name, setting.doc, vec![setting]));
            }
        }
    }
    for op in OPS {
        all.push(Explanation::new(
            "operation of the graph",
            op.name,
            op.doc,
            Vec::new(),
        ));
    }
    all
}

/// What a name means, once for each thing that has it: `window`, `data.window`, `conv`, `setting::range`.
pub fn explain(name: &str) -> Vec<Explanation> {
    if let Some(text) = codes::of(name) {
        return vec![Explanation {
            example: text.example,
            remedy: Some(text.remedy),
            ..Explanation::new("error or warning", text.code, &text.meaning, Vec::new())
        }];
    }
    let (section, word) = match name.split_once('.') {
        Some((section @ ("data" | "train" | "predict"), word)) => (Some(section), word),
        _ => (None, name),
    };
    let wanted = |found: &Explanation| match section {
        Some(section) => found.kind == format!("setting of {section}"),
        None => true,
    };
    let all = named().into_iter();
    all.filter(|found| found.name == word && wanted(found))
        .collect()
}

/// Help for a name that nothing has: the nearest one.
pub fn nearest_name(name: &str) -> Option<String> {
    let all = named();
    let codes: Vec<_> = codes::all().collect();
    let names = all.iter().map(|found| found.name.as_str());
    let names: Vec<_> = match name.contains("::") {
        true => codes.iter().map(|text| text.code).collect(),
        false => names.collect(),
    };
    suggest(name, &names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_says_what_it_means() {
        for found in named() {
            let settings = found.settings.iter().map(|setting| setting.doc);
            for text in settings.chain([found.text.as_str()]) {
                // The shortest text is a formula: `|x|`.
                assert!(text.len() > 2, "{} {}: `{text}`", found.kind, found.name);
            }
        }
    }

    #[test]
    fn names_are_found_with_and_without_their_section() {
        let kinds = |name: &str| -> Vec<String> {
            explain(name).into_iter().map(|found| found.kind).collect()
        };
        assert_eq!(kinds("window"), ["setting of data"]);
        assert_eq!(kinds("data.size"), ["setting of data"]);
        assert_eq!(kinds("size"), ["setting of data", "setting of predict"]);
        assert_eq!(kinds("adam"), ["optimiser", "operation of the graph"]);
        assert_eq!(kinds("setting::range"), ["error or warning"]);
        assert_eq!(explain("shape::conv")[0].name, codes::SHAPE);
        assert!(kinds("nothing").is_empty());
        let near = nearest_name("windw");
        assert_eq!(near.as_deref(), Some("did you mean `window`?"));
    }
}
