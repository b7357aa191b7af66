//! Annotations and rewrites to rules on paths.

use super::arguments::Callee;
use super::project::Module;
use super::state::{Elaborator, Frame, Outcome, PlacedRule};
use crate::diagnostic::{Diagnostic, bail, error, list, suggest};
use crate::graph::Graph;
use crate::passes::rewrite::{self, Does, METHODS, Rule};
use crate::syntax::ast::{Expr, ExprKind, Ident, Item, Method, Rewrite};

/// How long a path may be.
const MAX_PATH: usize = 400;

impl Elaborator<'_> {
    /// The rules of a rewrite.
    pub fn rewrite(&mut self, rewrite: &Rewrite, frame: &Frame) -> Vec<PlacedRule> {
        let mut rules = Vec::new();
        for rule in &rewrite.rules {
            if let Ok(found) = self.rule(&rule.method, &rule.path, frame) {
                rules.push(PlacedRule {
                    rule: found,
                    span: rule.span,
                    from_annotation: false,
                });
            }
        }
        rules
    }

    /// The rule of an annotation, or of the right side of an arrow.
    pub fn rule(&mut self, method: &Method, path: &Ident, frame: &Frame) -> Outcome<Rule> {
        let name = method.name.name.as_str();
        if path.name.len() > MAX_PATH {
            bail!(self, "limit::path" at path.span, "a path may have at most {MAX_PATH} characters");
        }
        let Some(known) = rewrite::method(name) else {
            let known: Vec<_> = METHODS.iter().map(|method| method.name).collect();
            bail!(
                self, "rule::method" at method.name.span, "nothing called `{name}` can be done to a layer";
                suggest: suggest(name, &known)
            );
        };
        let callee = Callee {
            name: known.name,
            declared: &(known.settings)(),
            by_position: false,
            defined: None,
        };
        Ok(Rule {
            path: path.name.clone(),
            method: known,
            settings: self.settings(&callee, &method.arguments, method.span, frame)?,
        })
    }
}

/// Lets a rule that names a group with one weighted layer in it mean that layer: `@qpg` above
/// `head = relu(conv(...))` means the convolution `head.conv`.
pub(super) fn settle(graph: &Graph, rules: &mut [PlacedRule]) -> Vec<Diagnostic> {
    let layers = rewrite::layers(graph);
    let mut errors = Vec::new();
    for placed in rules {
        let path = &placed.rule.path;
        let exact = path.contains('*') || layers.contains(path);
        if exact || matches!(placed.rule.method.does, Does::Parameters(_)) {
            continue;
        }
        let below = format!("{path}.");
        let inside: Vec<_> = layers
            .iter()
            .filter(|layer| layer.starts_with(&below))
            .collect();
        match inside.as_slice() {
            [] => {}
            [one] => placed.rule.path = (*one).clone(),
            several => {
                let mut names: Vec<_> = several.iter().map(|name| format!("`{name}`")).collect();
                names.truncate(6);
                errors.push(error!(
                    "rule::ambiguous" at placed.span, "`{path}` holds {} layers with a weight", several.len();
                    help: "name one, such as {}, or all: `{below}**`", list(&names, "or")
                ));
            }
        }
    }
    errors
}

/// The rewrites that `expr` names: one, or a list of them.
pub(super) fn rewrites<'m>(
    elaborator: &mut Elaborator<'m>,
    expr: &Expr,
    frame: &Frame<'m>,
) -> Outcome<Vec<(&'m Module, &'m Rewrite)>> {
    if let ExprKind::List(items) = &expr.kind {
        let mut found = Vec::new();
        for item in items {
            elaborator.enter(item.span)?;
            let inner = rewrites(elaborator, item, frame);
            elaborator.leave();
            found.extend(inner?);
        }
        return Ok(found);
    }
    let (module, word) = match &expr.kind {
        ExprKind::Member(of, word) => (elaborator.imported(of, word, frame)?, word.clone()),
        ExprKind::Name(name) => {
            if name == "none" {
                return Ok(Vec::new());
            }
            let span = expr.span;
            let name = name.clone();
            (frame.module, Ident { name, span })
        }
        _ => bail!(elaborator, "rule::unknown" at expr.span, "a rewrite is given by its name"),
    };
    if let Some(rewrite) = module.rewrite(&word.name) {
        return Ok(vec![(module, rewrite)]);
    }
    let known = module.names(|item| match item {
        Item::Rewrite(rewrite) => Some(&rewrite.name),
        _ => None,
    });
    bail!(
        elaborator, "rule::unknown" at word.span, "there is no rewrite called `{}`", word.name;
        suggest: suggest(&word.name, &known)
    );
}
