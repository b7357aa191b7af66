//! Annotations and rewrites to rules on paths, and circuits to their gates.

use super::evaluate::{Elaborator, Frame, Outcome, Place, Reported};
use super::load::Module;
use super::value::Value;
use super::{Network, PlacedRule};
use crate::diagnostic::{Diagnostic, list, suggest};
use crate::graph::Graph;
use crate::ops::{Kind, Setting, Settings};
use crate::passes::rewrite::{self, Does, METHODS, Rule};
use crate::quantum::ansatz::{Ansatz, Layer, Pattern};
use crate::quantum::gates::{GATES, gate};
use crate::syntax::ast::{CircuitStep, Expr, ExprKind, Ident, Item, Method, Rewrite};
use crate::syntax::span::Span;

/// How many layers of gates a circuit may have.
const MAX_GATES: usize = 256;

/// How long a path may be.
const MAX_PATH: usize = 400;

const PATTERNS: [(&str, Pattern); 3] = [
    ("all", Pattern::All),
    ("chain", Pattern::Chain),
    ("ring", Pattern::Ring),
];

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

    /// The rule that an annotation or the right side of an arrow stands for.
    pub fn rule(&mut self, method: &Method, path: &Ident, frame: &Frame) -> Outcome<Rule> {
        let name = method.name.name.as_str();
        if path.name.len() > MAX_PATH {
            let message = format!("a path may have at most {MAX_PATH} characters");
            return Err(self.fail(Diagnostic::error("limit::path", message).at(path.span, "")));
        }
        let Some(known) = rewrite::method(name) else {
            let message = format!("nothing called `{name}` can be done to a layer");
            let mut error = Diagnostic::error("rule::method", message).at(method.name.span, "");
            let known: Vec<_> = METHODS.iter().map(|method| method.name).collect();
            error.help = suggest(name, &known);
            return Err(self.fail(error));
        };
        Ok(Rule {
            path: path.name.clone(),
            method: known,
            settings: self.rule_settings(method, known, frame)?,
        })
    }

    /// The settings given to a method, by the method's own record of them.
    fn rule_settings(
        &mut self,
        method: &Method,
        known: &rewrite::Method,
        frame: &Frame,
    ) -> Outcome<Settings> {
        let name = known.name;
        let settings = (known.settings)();
        let mut given = Settings::default();
        let mut seen: Vec<&str> = Vec::new();
        let place = Place {
            exact: None,
            base: frame.prefix.clone(),
        };
        for argument in &method.arguments {
            let Some(word) = &argument.name else {
                let message = match settings.is_empty() {
                    true => format!("`{name}` has no settings"),
                    false => format!("settings of `{name}` are given by name"),
                };
                let mut error = Diagnostic::error("rule::setting", message);
                if let Some(first) = settings.first() {
                    let value = first.default.unwrap_or("...");
                    error = error.help(format!("for example `{name}({} = {value})`", first.name));
                }
                return Err(self.fail(error.at(argument.value.span, "")));
            };
            let Some(setting) = settings.iter().find(|s| s.name == word.name) else {
                let message = format!("`{name}` has no setting `{}`", word.name);
                let mut error = Diagnostic::error("rule::setting", message).at(word.span, "");
                let names: Vec<_> = settings.iter().map(|s| s.name).collect();
                error.help = suggest(&word.name, &names);
                return Err(self.fail(error));
            };
            if seen.contains(&setting.name) {
                let message = format!("`{}` is given twice", word.name);
                let error = Diagnostic::error("call::twice", message).at(word.span, "second time");
                return Err(self.fail(error));
            }
            seen.push(setting.name);
            let value = match setting.kind {
                // A circuit is found by its name, which is no value.
                Kind::Circuit => Value::Poison,
                _ => self.setting_value(argument, Some(setting), frame, &place)?,
            };
            if let Some(value) = self.convert(setting, &value, &argument.value, frame)? {
                given.0.insert(setting.name, value);
            }
        }
        let absent = |s: &&&Setting| s.default.is_none() && !seen.contains(&s.name);
        if let Some(setting) = settings.iter().find(absent) {
            let message = format!("`{name}` needs `{}`: {}", setting.name, setting.doc);
            return Err(self.fail(Diagnostic::error("call::missing", message).at(method.span, "")));
        }
        Ok(given)
    }

    /// One of several words; a bare word that is among them means itself, whatever it is bound to.
    pub fn word<T: Copy>(
        &mut self,
        setting: &str,
        expr: &Expr,
        words: &[(&str, T)],
        frame: &Frame,
    ) -> Outcome<T> {
        let find = |word: &str| words.iter().find(|(known, _)| *known == word);
        if let ExprKind::Name(word) = &expr.kind
            && let Some((_, value)) = find(word)
        {
            return Ok(*value);
        }
        match self.setting(expr, frame)? {
            Value::Word(word) => match find(&word) {
                Some((_, value)) => Ok(*value),
                None => {
                    let message = format!("`{setting}` cannot be `{word}`");
                    let mut error = Diagnostic::error("setting::word", message).at(expr.span, "");
                    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                    error.help = suggest(&word, &known);
                    Err(self.fail(error))
                }
            },
            value => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                let wanted = format!("{} for `{setting}`", list(&words, "or"));
                Err(self.mismatch(&wanted, &value, expr, frame))
            }
        }
    }

    pub fn named_circuit(&mut self, expr: &Expr, frame: &Frame) -> Outcome<Ansatz> {
        let of = |item: &Item| match item {
            Item::Circuit(circuit) => Some(circuit.name.clone()),
            _ => None,
        };
        let (module, name): (&Module, Ident) = match &expr.kind {
            ExprKind::Member(of, word) => (self.imported(of, word, frame)?, word.clone()),
            ExprKind::Name(name) => {
                let span = expr.span;
                let name = name.clone();
                (frame.module, Ident { name, span })
            }
            _ => {
                let error = Diagnostic::error("circuit::unknown", "a circuit is given by its name");
                return Err(self.fail(error.at(expr.span, "")));
            }
        };
        if let Some(circuit) = module.circuit(&name.name) {
            return self.circuit(&circuit.steps, circuit.name.span, &Frame::of(module));
        }
        if name.name == "hqc_tf" {
            return Ok(Ansatz::hqc_tf());
        }
        let message = format!("there is no circuit called `{}`", name.name);
        let mut error = Diagnostic::error("circuit::unknown", message).at(name.span, "");
        let known: Vec<_> = module.tree.items.iter().filter_map(of).collect();
        let known = known.iter().map(|ident| ident.name.as_str());
        let known: Vec<_> = known.chain(["hqc_tf"]).collect();
        error.help = suggest(&name.name, &known);
        Err(self.fail(error))
    }

    /// The gates of a circuit; it repeats one part `blocks` times.
    pub fn circuit(&mut self, steps: &[CircuitStep], name: Span, frame: &Frame) -> Outcome<Ansatz> {
        let mut ansatz = Ansatz {
            before: Vec::new(),
            block: Vec::new(),
            after: Vec::new(),
        };
        let mut repeated: Option<Span> = None;
        for step in steps {
            match step {
                CircuitStep::Repeat { count, steps, span } if matches!(&count.kind, ExprKind::Name(word) if word == "blocks") =>
                {
                    if let Some(first) = repeated.replace(*span) {
                        let message = "a circuit has one part that is repeated `blocks` times";
                        let error = Diagnostic::error("circuit::repeat", message);
                        let error = error.at(count.span, "second one");
                        return Err(self.fail(error.see(first, "first one")));
                    }
                    self.gates(steps, &mut ansatz.block, frame)?;
                }
                step => {
                    let part = match repeated {
                        None => &mut ansatz.before,
                        Some(_) => &mut ansatz.after,
                    };
                    self.gates(std::slice::from_ref(step), part, frame)?;
                }
            }
        }
        if repeated.is_none() {
            let message = "no part of this circuit is repeated `blocks` times";
            let error = Diagnostic::error("circuit::repeat", message).at(name, "");
            return Err(self.fail(error.help("write `repeat blocks { ry(all) cnot(ring) }`")));
        }
        ansatz.check().map(|()| ansatz).map_err(|error| {
            let error = Diagnostic::error("circuit::angles", error.to_string()).at(name, "");
            self.fail(error.help("rotations such as `ry(all)` are what is trained"))
        })
    }

    fn gates(
        &mut self,
        steps: &[CircuitStep],
        layers: &mut Vec<Layer>,
        frame: &Frame,
    ) -> Outcome<()> {
        for step in steps {
            self.enter(step.span())?;
            let result = self.gate(step, layers, frame);
            self.leave();
            result?;
            if layers.len() > MAX_GATES {
                let message = format!("a circuit may have at most {MAX_GATES} layers of gates");
                let error = Diagnostic::error("limit::gates", message);
                return Err(self.fail(error.at(step.span(), "stopped here")));
            }
        }
        Ok(())
    }

    fn gate(&mut self, step: &CircuitStep, layers: &mut Vec<Layer>, frame: &Frame) -> Outcome<()> {
        let method = match step {
            CircuitStep::Repeat { count, steps, .. } => {
                let times = self.int(count, frame)?;
                if !(0..=MAX_GATES as i64).contains(&times) {
                    let message = format!("a part can be repeated up to {MAX_GATES} times");
                    let error = Diagnostic::error("limit::repeat", message);
                    return Err(self.fail(error.at(count.span, format!("this is {times}"))));
                }
                for _ in 0..times {
                    self.gates(steps, layers, frame)?;
                }
                return Ok(());
            }
            CircuitStep::Gate(method) => method,
        };
        let name = method.name.name.as_str();
        let Some(found) = gate(name) else {
            let message = format!("there is no gate called `{name}`");
            let mut error = Diagnostic::error("circuit::gate", message).at(method.name.span, "");
            let known: Vec<_> = GATES.iter().map(|gate| gate.name).collect();
            error.help = suggest(name, &known);
            return Err(self.fail(error));
        };
        let [argument] = method.arguments.as_slice() else {
            let message = format!("`{name}` takes one word: the qubits it acts on");
            let error = Diagnostic::error("circuit::pattern", message).at(method.span, "");
            return Err(self.fail(error.help("`all`, `ring` or `chain`")));
        };
        let on = self.word(name, &argument.value, &PATTERNS, frame)?;
        if (found.arity == 1) != (on == Pattern::All) {
            let (message, help) = match found.arity {
                1 => (
                    format!("`{name}` acts on one qubit"),
                    format!("write `{name}(all)`"),
                ),
                _ => (
                    format!("`{name}` acts on two qubits"),
                    format!("write `{name}(ring)` or `{name}(chain)`"),
                ),
            };
            let error = Diagnostic::error("circuit::pattern", message);
            return Err(self.fail(error.at(argument.value.span, "").help(help)));
        }
        layers.push(Layer {
            gate: name.to_owned(),
            on,
        });
        Ok(())
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
                let message = format!("`{path}` holds {} layers with a weight", several.len());
                let error = Diagnostic::error("rule::ambiguous", message).at(placed.span, "");
                let help = format!(
                    "name one, such as {}, or all: `{below}**`",
                    list(&names, "or")
                );
                errors.push(error.help(help));
            }
        }
    }
    errors
}

/// Applies the rules of a network to its graph, and removes what its output does not need.
///
/// Errors: rules that match nothing or fight over one weight.
pub fn apply(network: &mut Network) -> Result<(), Vec<Diagnostic>> {
    let rules: Vec<Rule> = network
        .rules
        .iter()
        .map(|placed| placed.rule.clone())
        .collect();
    let applied = rewrite::apply(&mut network.graph, &rules);
    network.graph.prune();
    let left: std::collections::BTreeSet<_> = network.graph.ids().collect();
    network.layers.retain(|layer| left.contains(&layer.output));
    applied.map_err(|errors| {
        let diagnostics = errors.into_iter().map(|error| {
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
            diagnostic.help = error.help;
            diagnostic
        });
        diagnostics.collect()
    })
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
    let of = |item: &Item| -> bool { matches!(item, Item::Rewrite(_)) };
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
        _ => {
            let error = Diagnostic::error("rule::unknown", "a rewrite is given by its name");
            return Err(elaborator.fail(error.at(expr.span, "")));
        }
    };
    if let Some(rewrite) = module.rewrite(&word.name) {
        return Ok(vec![(module, rewrite)]);
    }
    let message = format!("there is no rewrite called `{}`", word.name);
    let mut error = Diagnostic::error("rule::unknown", message).at(word.span, "");
    let known = module.tree.items.iter().filter(|item| of(item));
    let known: Vec<_> = known.filter_map(super::load::name_of).collect();
    let known: Vec<_> = known.iter().map(|ident| ident.name.as_str()).collect();
    error.help = suggest(&word.name, &known);
    let _: Reported = elaborator.fail(error);
    Err(Reported)
}
