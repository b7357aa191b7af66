//! `names` items to rules, and the items that expressions name.

use std::collections::BTreeMap;

use super::arguments::Callee;
use super::project::{Module, Project, name_of};
use super::state::{Elaborator, Frame, Outcome};
use crate::diagnostic::{Diagnostic, bail, error, list, suggest};
use crate::names::{Change, FileLayout, NameMap, NameRule, Pattern, key};
use crate::setting::{Kind, Setting};
use crate::syntax::ast::{Expr, ExprKind, Ident, Item, Method, Names};
use crate::syntax::span::{Sources, Span, World};

/// How many rules a list may have.
const MAX_RULES: usize = 2000;

/// How many tokens without a place a table of positions may begin with.
const MAX_SKIP: i64 = 1 << 20;

/// The settings of a `names` item.
const NAMES: &[Setting] = &[Setting {
    name: "layout",
    kind: Kind::Word(&["flax", "torch"]),
    default: Some("torch"),
    doc: "the order of the axes of weights in the file",
}];

/// The settings of the conversion `positions`.
const POSITIONS: &[Setting] = &[Setting {
    name: "skip",
    kind: Kind::Int {
        min: 0,
        max: MAX_SKIP,
    },
    default: Some("0"),
    doc: "tokens without a place that the table begins with",
}];

impl<'a> Elaborator<'a> {
    /// The rules of a `names` item.
    ///
    /// # Errors
    /// Reported, every one of them.
    pub fn names(&mut self, names: &Names, frame: &Frame) -> Outcome<NameMap> {
        if names.rules.len() > MAX_RULES {
            bail!(
                self, "limit::rules" at names.name.span, "a list of names may have at most {MAX_RULES} rules"
            );
        }
        let callee = Callee {
            name: "names",
            declared: NAMES,
            by_position: false,
            defined: None,
        };
        let settings = self.settings(&callee, &names.settings, names.name.span, frame);
        let mut failed = settings.as_ref().err().copied();
        let mut map = NameMap {
            name: names.name.name.clone(),
            ..NameMap::default()
        };
        if settings.is_ok_and(|settings| settings.word("layout") == "flax") {
            map.layout = FileLayout::Flax;
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for rule in &names.rules {
            self.enter(rule.span)?;
            self.leave();
            if let Some(first) = seen.insert(key(&rule.foreign.name), rule.foreign.span) {
                failed = Some(self.fail(error!(
                    "names::twice" at rule.foreign.span, "`{}` has two rules", rule.foreign.name;
                    here: "this one never decides";
                    see: first, "first one"
                )));
            }
            match self.name_rule(&rule.foreign, &rule.here, rule.change.as_ref(), frame) {
                Ok(rule) => map.rules.push(rule),
                Err(reported) => failed = Some(reported),
            }
        }
        match failed {
            None => Ok(map),
            Some(reported) => Err(reported),
        }
    }

    fn name_rule(
        &mut self,
        foreign: &Ident,
        here: &Ident,
        change: Option<&Method>,
        frame: &Frame,
    ) -> Outcome<NameRule> {
        let from = self.pattern(foreign)?;
        let drops = here.name == "none";
        if drops && let Some(change) = change {
            bail!(
                self, "names::change" at change.span, "what goes nowhere needs no conversion";
                see: here.span, "`none` drops it"
            );
        }
        let to = match drops {
            true => None,
            false => Some(self.pattern(here)?),
        };
        if let Some(to) = &to
            && from.captures() != to.captures()
        {
            let shown = |pattern: &Pattern| match pattern.captures().as_slice() {
                [] => "nothing".to_owned(),
                kinds => {
                    let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                    list(&kinds, "and")
                }
            };
            let error = error!(
                "names::captures" at foreign.span, "the two sides of this rule leave different parts open";
                here: "this leaves open {}", shown(&from);
                help: "what `*` and `**` stand for on the left is put in, in order, on the right"
            );
            let error = error.at(here.span, format!("this leaves open {}", shown(to)));
            return Err(self.fail(error));
        }
        let change = change
            .map(|change| self.change(change, frame))
            .transpose()?;
        Ok(NameRule { from, to, change })
    }

    fn pattern(&mut self, name: &Ident) -> Outcome<Pattern> {
        Pattern::new(&name.name).map_err(|error| {
            self.fail(error!(
                "names::pattern" at name.span, "`{}` is no name of a tensor: {error}", name.name;
                help: "`*` stands for a part of one word, `**` for whole words"
            ))
        })
    }

    fn change(&mut self, method: &Method, frame: &Frame) -> Outcome<Change> {
        if method.name.name != "positions" {
            let name = &method.name.name;
            bail!(
                self, "names::change" at method.name.span, "there is no conversion called `{name}`";
                suggest: suggest(name, &["positions"])
            );
        }
        let callee = Callee {
            name: "positions",
            declared: POSITIONS,
            by_position: false,
            defined: None,
        };
        let settings = self.settings(&callee, &method.arguments, method.span, frame)?;
        let skip = settings.maybe_int("skip").unwrap_or_default();
        Ok(Change::Positions { skip })
    }

    /// The rules that `expr` names: `PyTorch`, or `tv.VGG16` of an import.
    pub fn named_names(&mut self, expr: &Expr, frame: &Frame<'a>) -> Outcome<NameMap> {
        let (module, word): (&'a Module, Ident) = match &expr.kind {
            ExprKind::Member(of, word) => (self.imported(of, word, frame)?, word.clone()),
            ExprKind::Name(name) => {
                let (name, span) = (name.clone(), expr.span);
                (frame.module, Ident { name, span })
            }
            _ => bail!(self, "names::unknown" at expr.span, "a list of names is given by its name"),
        };
        if let Some(names) = module.name_rules(&word.name) {
            return self.names(names, &Frame::of(module));
        }
        let known = module.names(|item| match item {
            Item::Names(names) => Some(&names.name),
            _ => None,
        });
        let name = &word.name;
        let help = suggest(name, &known).unwrap_or_else(|| {
            let mut items = module.tree.items.iter().filter_map(name_of);
            let words = match items.any(|item| item.name == *name) {
                true => format!("`{name}` is something else"),
                false => "write a list of rules".to_owned(),
            };
            format!("{words}: `names {name} {{ a.b => c }}`")
        });
        bail!(self, "names::unknown" at word.span, "there are no names called `{name}`"; help: "{help}");
    }
}

/// All lists of names of all files, with the file of each.
pub(super) fn all(elaborator: &mut Elaborator) -> Vec<(usize, NameMap)> {
    let mut found = Vec::new();
    let modules = elaborator.texts.modules;
    for (index, module) in modules.iter().enumerate() {
        for item in &module.tree.items {
            if let Item::Names(names) = item
                && let Ok(map) = elaborator.names(names, &Frame::of(module))
            {
                found.push((index, map));
            }
        }
    }
    found
}

/// The lists of names in the file that was asked for, which needs no model.
///
/// # Errors
/// Everything that is wrong in the lists of all files.
pub fn name_lists(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
) -> Result<Vec<NameMap>, Vec<Diagnostic>> {
    let mut elaborator = Elaborator::new(sources, world, &project.modules);
    elaborator.found.errors.clone_from(&project.errors);
    let lists = all(&mut elaborator);
    if !elaborator.found.errors.is_empty() {
        return Err(elaborator.found.errors);
    }
    let main = project.main_index();
    let lists = lists.into_iter().filter(|(index, _)| *index == main);
    Ok(lists.map(|(_, map)| map).collect())
}
