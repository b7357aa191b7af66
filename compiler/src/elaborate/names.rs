//! `names` items to rules, and the items that expressions name.

use std::collections::BTreeMap;

use super::evaluate::{Elaborator, Frame, Outcome};
use super::load::{Module, name_of};
use crate::diagnostic::{Diagnostic, list, suggest};
use crate::names::{Change, FileLayout, NameMap, NameRule, Pattern, key};
use crate::syntax::ast::{Expr, ExprKind, Ident, Item, Method, Names};
use crate::syntax::span::Span;

/// How many rules a list may have.
const MAX_RULES: usize = 2000;

/// How many tokens without a place a table of positions may begin with.
const MAX_SKIP: i64 = 1 << 20;

impl<'a> Elaborator<'a> {
    /// The rules of a `names` item.
    ///
    /// Errors: reported, every one of them.
    pub fn names(&mut self, names: &Names, frame: &Frame) -> Outcome<NameMap> {
        if names.rules.len() > MAX_RULES {
            let message = format!("a list of names may have at most {MAX_RULES} rules");
            let error = Diagnostic::error("limit::rules", message).at(names.name.span, "");
            return Err(self.fail(error));
        }
        let mut map = NameMap {
            name: names.name.name.clone(),
            ..NameMap::default()
        };
        let mut failed = None;
        for argument in &names.settings {
            let layout = match &argument.name {
                Some(word) if word.name == "layout" => {
                    self.word("layout", &argument.value, &FileLayout::ALL, frame)
                }
                Some(word) => {
                    let message = format!("`names` has no setting `{}`", word.name);
                    let mut error = Diagnostic::error("names::setting", message).at(word.span, "");
                    error.help = suggest(&word.name, &["layout"]);
                    Err(self.fail(error))
                }
                None => {
                    let message = "settings of `names` are given by name";
                    let error = Diagnostic::error("names::setting", message);
                    let error = error.at(argument.value.span, "");
                    Err(self.fail(error.help("for example `names Google(layout = flax)`")))
                }
            };
            match layout {
                Ok(layout) => map.layout = layout,
                Err(reported) => failed = Some(reported),
            }
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for rule in &names.rules {
            self.enter(rule.span)?;
            self.leave();
            if let Some(first) = seen.insert(key(&rule.foreign.name), rule.foreign.span) {
                let message = format!("`{}` has two rules", rule.foreign.name);
                let error = Diagnostic::error("names::twice", message);
                let error = error.at(rule.foreign.span, "this one never decides");
                failed = Some(self.fail(error.see(first, "first one")));
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
            let message = "what goes nowhere needs no conversion";
            let error = Diagnostic::error("names::change", message).at(change.span, "");
            return Err(self.fail(error.see(here.span, "`none` drops it")));
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
            let message = "the two sides of this rule leave different parts open";
            let error = Diagnostic::error("names::captures", message)
                .at(foreign.span, format!("this leaves open {}", shown(&from)))
                .at(here.span, format!("this leaves open {}", shown(to)));
            let help = "what `*` and `**` stand for on the left is put in, in order, on the right";
            return Err(self.fail(error.help(help)));
        }
        let change = change
            .map(|change| self.change(change, frame))
            .transpose()?;
        Ok(NameRule { from, to, change })
    }

    fn pattern(&mut self, name: &Ident) -> Outcome<Pattern> {
        Pattern::new(&name.name).map_err(|error| {
            let message = format!("`{}` is no name of a tensor: {error}", name.name);
            let error = Diagnostic::error("names::pattern", message).at(name.span, "");
            self.fail(error.help("`*` stands for a part of one word, `**` for whole words"))
        })
    }

    fn change(&mut self, method: &Method, frame: &Frame) -> Outcome<Change> {
        if method.name.name != "positions" {
            let message = format!("there is no conversion called `{}`", method.name.name);
            let mut error = Diagnostic::error("names::change", message).at(method.name.span, "");
            error.help = suggest(&method.name.name, &["positions"]);
            return Err(self.fail(error));
        }
        let mut skip = 0;
        for argument in &method.arguments {
            match &argument.name {
                Some(word) if word.name == "skip" => {
                    let value = self.int(&argument.value, frame)?;
                    if !(0..=MAX_SKIP).contains(&value) {
                        let message = format!("`skip` must lie between 0 and {MAX_SKIP}");
                        let error = Diagnostic::error("setting::range", message);
                        let error = error.at(argument.value.span, format!("this is {value}"));
                        return Err(self.fail(error));
                    }
                    skip = value as usize;
                }
                other => {
                    let span = other.as_ref().map_or(argument.value.span, |word| word.span);
                    let message = "`positions` has one setting: `skip`";
                    let error = Diagnostic::error("names::change", message).at(span, "");
                    return Err(self.fail(error.help("for example `positions(skip = 1)`")));
                }
            }
        }
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
            _ => {
                let message = "a list of names is given by its name";
                let error = Diagnostic::error("names::unknown", message).at(expr.span, "");
                return Err(self.fail(error));
            }
        };
        if let Some(names) = module.name_rules(&word.name) {
            return self.names(names, &Frame::of(module));
        }
        let message = format!("there are no names called `{}`", word.name);
        let mut error = Diagnostic::error("names::unknown", message).at(word.span, "");
        let known = module
            .all_name_rules()
            .map(|names| names.name.name.as_str());
        let known: Vec<_> = known.collect();
        error.help = suggest(&word.name, &known).or_else(|| {
            let items = module.tree.items.iter().filter_map(name_of);
            let taken = items.into_iter().any(|name| name.name == word.name);
            let words = match taken {
                true => format!("`{}` is something else", word.name),
                false => "write a list of rules".to_owned(),
            };
            Some(format!("{words}: `names {} {{ a.b => c }}`", word.name))
        });
        Err(self.fail(error))
    }
}

/// All lists of names of all files, with the file of each.
pub(super) fn all(elaborator: &mut Elaborator) -> Vec<(usize, NameMap)> {
    let mut found = Vec::new();
    let modules = elaborator.modules;
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
