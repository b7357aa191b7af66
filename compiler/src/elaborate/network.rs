//! Statements of blocks and models: what they bind, and the network they make.

use std::collections::BTreeMap;

use super::evaluate::{Elaborator, Frame, Local, Outcome, Place, Reported, spell};
use super::value::Value;
use super::{Given, PlacedRule, Size};
use crate::diagnostic::Diagnostic;
use crate::graph::{Input, NodeId, Parameter, ParameterKind};
use crate::passes::loss::{OUTPUT, head_name};
use crate::syntax::ast::*;
use crate::syntax::span::Span;
use crate::tensor_type::TensorType;

/// The annotation that is no rule: what it stands above is never computed.
const UNUSED: &str = "unused";

/// How many rules annotations may make.
const MAX_RULES: usize = 500;

/// The model under elaboration: what it was given, and what it has declared so far.
#[derive(Debug, Default)]
pub struct Declared {
    /// The size of its input.
    pub size: Size,
    /// Its input.
    pub input: Option<(String, NodeId)>,
    /// Its heads, and where each is declared.
    pub outputs: Vec<(NodeId, Span)>,
    /// What `@unused` stands above.
    pub unused: Vec<Unused>,
}

/// Layers whose parameters exist, but which are never computed.
#[derive(Debug)]
pub struct Unused {
    /// The path of the layer or the block.
    path: String,
    /// The annotation.
    span: Span,
    /// Its nodes, by their numbers.
    nodes: std::ops::Range<usize>,
}

impl Elaborator<'_> {
    /// Makes the network of a model.
    pub fn model(
        &mut self,
        model: &Function,
        given: BTreeMap<String, Value>,
        frame: &mut Frame,
        size: Size,
    ) -> Outcome<Given> {
        self.fill(model, given, frame)?;
        frame.model = true;
        self.declared = Declared {
            size,
            ..Declared::default()
        };
        self.body(&model.body, frame)?;
        let name = &model.name;
        let declared = std::mem::take(&mut self.declared);
        let Some((input, input_id)) = declared.input.clone() else {
            if !self.errors.is_empty() {
                return Err(Reported);
            }
            let message = format!("the model `{}` has no input", name.name);
            let error = Diagnostic::error("model::input", message).at(name.span, "");
            return Err(self.fail(error.help("begin it with `input ct: [1, H, W]`")));
        };
        let Some((&(output, _), earlier)) = declared.outputs.split_last() else {
            if !self.errors.is_empty() {
                return Err(Reported);
            }
            let message = format!("the model `{}` has no output", name.name);
            let error = Diagnostic::error("model::output", message).at(name.span, "");
            return Err(self.fail(error.help("end it with `output y`")));
        };
        for (at, (head, _)) in earlier.iter().enumerate() {
            self.graph.set_output(head_name(at), *head);
        }
        self.graph.set_output(OUTPUT, output);
        self.refuse_reading(&declared)?;
        Ok(Given {
            input,
            input_id,
            output,
        })
    }

    /// Runs the statements of a model up to the first one that is the `last`.
    pub fn declare(
        &mut self,
        model: &Function,
        given: BTreeMap<String, Value>,
        frame: &mut Frame,
        size: Size,
        last: impl Fn(&StatementKind) -> bool,
    ) -> Outcome<()> {
        self.fill(model, given, frame)?;
        frame.model = true;
        self.declared = Declared {
            size,
            ..Declared::default()
        };
        for statement in &model.body.statements {
            self.statement(statement, frame)?;
            if last(&statement.kind) {
                break;
            }
        }
        Ok(())
    }

    /// Runs statements; the value is what a `return` gave, if one was reached.
    pub fn body(&mut self, body: &Body, frame: &mut Frame) -> Outcome<Option<Value>> {
        for statement in &body.statements {
            self.enter(statement.span)?;
            let result = self.statement(statement, frame);
            self.leave();
            match result {
                Ok(None) => {}
                Ok(Some(value)) => return Ok(Some(value)),
                Err(Reported) if self.is_stopped() => return Err(Reported),
                // A failed assignment binds its names all the same.
                Err(Reported) if matches!(statement.kind, StatementKind::Assign { .. }) => {}
                Err(Reported) => frame.unsure = true,
            }
        }
        Ok(None)
    }

    fn statement(&mut self, statement: &Statement, frame: &mut Frame) -> Outcome<Option<Value>> {
        if !matches!(statement.kind, StatementKind::Assign { .. })
            && let Some(annotation) = statement.annotations.first()
        {
            let message = format!("`@{}` stands above no layer", annotation.name.name);
            let error = Diagnostic::error("rule::place", message).at(annotation.span, "");
            self.fail(
                error.help("annotations stand above an assignment such as `head = conv(...)`"),
            );
        }
        match &statement.kind {
            StatementKind::Input {
                name,
                shape,
                conditions,
            } => {
                self.refuse_in_block("input", statement.span, frame)?;
                self.input(name, shape, conditions, frame)?;
                Ok(None)
            }
            StatementKind::Output(values) => {
                self.refuse_in_block("output", statement.span, frame)?;
                self.output(values, statement.span, frame)?;
                Ok(None)
            }
            StatementKind::Return(values) => {
                if frame.model {
                    let error = Diagnostic::error("model::return", "a model does not return");
                    let error = error.at(statement.span, "");
                    return Err(self.fail(error.help("name the result with `output y`")));
                }
                let place = Place {
                    exact: None,
                    base: frame.prefix.clone(),
                };
                if let [value] = values.as_slice() {
                    return Ok(Some(
                        self.eval(value, frame, &place).unwrap_or(Value::Poison),
                    ));
                }
                let mut results = Vec::new();
                for value in values {
                    results.push(self.eval(value, frame, &place).unwrap_or(Value::Poison));
                }
                self.list(results, statement.span).map(Some)
            }
            StatementKind::Repeat {
                counter,
                over,
                body,
            } => self.repeat(counter, over, body, frame),
            StatementKind::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    if self.bool(condition, frame)? {
                        return self.body(body, frame);
                    }
                }
                match otherwise {
                    Some(body) => self.body(body, frame),
                    None => Ok(None),
                }
            }
            StatementKind::Assign { targets, value } => {
                self.assign(targets, value, &statement.annotations, frame)?;
                Ok(None)
            }
        }
    }

    fn refuse_in_block(&mut self, word: &str, span: Span, frame: &Frame) -> Outcome<()> {
        if frame.model {
            return Ok(());
        }
        let message = format!("a block has no `{word}`");
        let error = Diagnostic::error("block::statement", message).at(span, "");
        Err(self.fail(error.help("tensors come in as parameters and go out with `return`")))
    }

    fn repeat(
        &mut self,
        counter: &Ident,
        over: &Expr,
        body: &Body,
        frame: &mut Frame,
    ) -> Outcome<Option<Value>> {
        let values = self.range(over, frame)?;
        let hidden = frame.locals.get(&counter.name).cloned();
        for at in values {
            let value = Local::Plain(Value::Int(at));
            frame.locals.insert(counter.name.clone(), value);
            frame.loops.push((counter.name.clone(), at));
            let result = self.body(body, frame);
            frame.loops.pop();
            match result {
                Ok(None) => {}
                done => return done,
            }
        }
        match hidden {
            Some(local) => frame.locals.insert(counter.name.clone(), local),
            None => frame.locals.remove(&counter.name),
        };
        Ok(None)
    }

    fn input(
        &mut self,
        name: &Ident,
        shape: &[Expr],
        conditions: &[Expr],
        frame: &mut Frame,
    ) -> Outcome<()> {
        if self.declared.input.is_some() {
            let error = Diagnostic::error("model::input", "a model has one input");
            return Err(self.fail(error.at(name.span, "this is the second")));
        }
        let [channels, height, width] = shape else {
            let error = Diagnostic::error("input::shape", "an input has three axes");
            let span = shape.first().map_or(name.span, |axis| axis.span);
            return Err(self.fail(error.at(span, "").help("write `[channels, H, W]`")));
        };
        let size = self.declared.size;
        let given = [size.channels, size.height, size.width];
        for ((axis, what), given) in [(channels, "channel"), (height, "row"), (width, "column")]
            .into_iter()
            .zip(given)
        {
            if let Value::Word(symbol) = self.setting(axis, frame)? {
                let value = Local::Plain(Value::Int(given as i64));
                frame.locals.insert(symbol, value);
                continue;
            }
            let wanted = self.int(axis, frame)?;
            if wanted != given as i64 {
                let plural = if given == 1 { "" } else { "s" };
                let message = format!("the input has {given} {what}{plural}, not {wanted}");
                let error = Diagnostic::error("input::size", message);
                let help = match what {
                    "channel" => "the data gives one channel".to_owned(),
                    _ => {
                        format!(
                            "set `data.size` to this, or write a name for any number of {what}s"
                        )
                    }
                };
                return Err(self.fail(error.at(axis.span, "").help(help)));
            }
        }
        for condition in conditions {
            if self.bool(condition, frame)? {
                continue;
            }
            let text = self.sources.slice(condition.span).to_owned();
            let message = format!("the input does not fit: `{text}` does not hold");
            let label = format!("the input is {} x {}", size.height, size.width);
            let error = Diagnostic::error("input::where", message).at(condition.span, label);
            let near = nearest_multiples(condition, frame);
            let help = near.unwrap_or_else(|| "choose another `data.size`".to_owned());
            self.fail(error.help(help));
        }
        let ty = TensorType::image([size.batch, size.channels, size.height, size.width]);
        let path = self.unique(name.name.clone());
        let id = match self.graph.add(Input { ty }, &[], path) {
            Ok(id) => id,
            Err(error) => {
                let error = Diagnostic::error("input::shape", error.message);
                return Err(self.fail(error.at(name.span, "")));
            }
        };
        self.made.insert(id, name.span);
        self.declared.input = Some((self.graph.name(id).to_owned(), id));
        let value = Local::Plain(Value::Tensor(id));
        frame.locals.insert(name.name.clone(), value);
        Ok(())
    }

    /// One head, or several of equal shape: the loss is their mean, evaluation and prediction use the last.
    fn output(&mut self, values: &[Expr], span: Span, frame: &Frame) -> Outcome<()> {
        let place = Place {
            exact: None,
            base: frame.prefix.clone(),
        };
        if let Some((_, first)) = self.declared.outputs.first() {
            let error = Diagnostic::error("model::output", "a model has one `output`");
            let error = error.at(span, "this is the second");
            let error = error.see(*first, "this is the first");
            return Err(self.fail(error.help("several heads stand in one line: `output a, b`")));
        }
        for value in values {
            let items = match self.eval(value, frame, &place)? {
                Value::List(list) => list.items().to_vec(),
                single => vec![single],
            };
            for item in items {
                match item {
                    Value::Tensor(id) => self.declared.outputs.push((id, value.span)),
                    found => return Err(self.mismatch("a tensor", &found, value, frame)),
                }
            }
        }
        let heads = &self.declared.outputs;
        let Some((last, at)) = heads.last() else {
            return Ok(());
        };
        let ty = |id: NodeId| self.graph.ty(id);
        match heads.iter().find(|(id, _)| ty(*id) != ty(*last)) {
            None => Ok(()),
            Some((id, span)) => {
                let error =
                    Diagnostic::error("model::heads", "the heads of a model have one shape");
                let error = error.at(*span, ty(*id).to_string());
                let error = error.at(*at, ty(*last).to_string());
                Err(self.fail(error.help("`resize` brings a map to another size")))
            }
        }
    }

    /// Lets the parameters of the nodes from `first` on exist without being computed or trained.
    fn set_aside(&mut self, path: &str, span: Span, first: usize) {
        let nodes = first..self.graph.len();
        self.graph.retain_effects(|id| id.index() < first);
        let new: Vec<_> = self.graph.ids().filter(|id| id.index() >= first).collect();
        for id in new {
            let Some(parameter) = self.graph.op::<Parameter>(id).cloned() else {
                continue;
            };
            self.graph.add_effect(id);
            if parameter.kind == ParameterKind::Trained {
                let kind = ParameterKind::Unused;
                // The type stays, so the graph cannot refuse.
                let _ = self.graph.set_op(id, Parameter { kind, ..parameter });
            }
        }
        let path = path.to_owned();
        self.declared.unused.push(Unused { path, span, nodes });
    }

    /// Refuses a network whose output needs what `@unused` stands above.
    fn refuse_reading(&mut self, declared: &Declared) -> Outcome<()> {
        let mut open: Vec<_> = declared.outputs.iter().map(|(id, _)| *id).collect();
        let mut live = vec![false; self.graph.len()];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut live[id.index()], true) {
                open.extend(self.graph.inputs(id));
            }
        }
        let mut result = Ok(());
        for unused in &declared.unused {
            if live[unused.nodes.clone()].contains(&true) {
                let message = format!("`{}` is unused, but the output needs it", unused.path);
                let error = Diagnostic::error("rule::unused", message).at(unused.span, "");
                result = Err(self.fail(error.help("take `@unused` away")));
            }
        }
        result
    }

    fn assign(
        &mut self,
        targets: &[Target],
        value: &Expr,
        annotations: &[Method],
        frame: &mut Frame,
    ) -> Outcome<()> {
        let mut keys = Vec::new();
        for target in targets {
            let mut key = Vec::new();
            for index in &target.indices {
                let index = self.int(index, frame);
                frame.unsure |= index.is_err();
                key.push(index?);
            }
            keys.push(key);
        }
        // A name bound in a repeat carries the counters in its layers' paths.
        let path = match (targets, keys.as_slice()) {
            ([target], [key]) if key.is_empty() => {
                let counters: Vec<_> = frame.loops.iter().map(|(_, at)| *at).collect();
                frame.join(&spell(&target.name.name, &counters))
            }
            ([target], [key]) => frame.join(&spell(&target.name.name, key)),
            _ => frame.join(&targets[0].name.name),
        };
        let path = match value.kind {
            ExprKind::Call(..) | ExprKind::Binary(..) | ExprKind::If { .. } => self.unique(path),
            _ => path,
        };
        let (before, nodes, rules) = (self.layers.len(), self.graph.len(), self.rules.len());
        let place = Place {
            exact: Some(path.clone()),
            base: path.clone(),
        };
        let found = self.eval(value, frame, &place);
        let is_unused = |annotation: &&Method| annotation.name.name == UNUSED;
        if let Some(unused) = annotations.iter().find(is_unused) {
            if let Some(other) = annotations.iter().find(|other| other.span != unused.span) {
                let message = "an unused layer carries no other annotation";
                let error = Diagnostic::error("rule::unused", message).at(other.span, "");
                self.fail(error.see(unused.span, "it is never computed"));
            }
            if let Some(argument) = unused.arguments.first() {
                let error = Diagnostic::error("rule::setting", "`unused` has no settings");
                self.fail(error.at(argument.value.span, ""));
            }
            self.rules.truncate(rules);
            self.set_aside(&path, unused.span, nodes);
        }
        for annotation in annotations {
            if found.is_ok() && self.layers.len() == before {
                let message = format!("`@{}` stands above no layer", annotation.name.name);
                let error = Diagnostic::error("rule::place", message);
                self.fail(
                    error
                        .at(annotation.span, "")
                        .see(value.span, "this makes no layer"),
                );
                continue;
            }
            if is_unused(&annotation) {
                continue;
            }
            let path = Ident {
                name: path.clone(),
                span: targets[0].span,
            };
            if self.rules.len() >= MAX_RULES {
                let message = format!("more than {MAX_RULES} layers carry an annotation");
                let error = Diagnostic::error("limit::rules", message).at(annotation.span, "");
                return Err(
                    self.stop(error.help("one rule such as `e[*].conv1 => qpg()` is enough"))
                );
            }
            if let Ok(rule) = self.rule(annotation, &path, frame) {
                self.rules.push(PlacedRule {
                    rule,
                    span: annotation.span,
                    from_annotation: true,
                });
            }
        }
        let failed = found.is_err();
        let found = found.unwrap_or(Value::Poison);
        match (targets, &found) {
            ([target], _) => self.set(target, keys.remove(0), found, frame)?,
            (_, Value::List(list)) if list.items().len() == targets.len() => {
                for ((target, key), item) in targets.iter().zip(keys).zip(list.items()) {
                    self.set(target, key, item.clone(), frame)?;
                }
            }
            (_, Value::Poison) => {
                for (target, key) in targets.iter().zip(keys) {
                    self.set(target, key, Value::Poison, frame)?;
                }
            }
            (_, other) => {
                let count = match other {
                    Value::List(list) => list.items().len(),
                    _ => 1,
                };
                let message = format!("{} names for {count} values", targets.len());
                let error = Diagnostic::error("assign::count", message);
                let plural = if count == 1 { "" } else { "s" };
                let error = error.at(value.span, format!("gives {count} value{plural}"));
                return Err(self.fail(error));
            }
        }
        match failed {
            true => Err(Reported),
            false => Ok(()),
        }
    }

    fn set(
        &mut self,
        target: &Target,
        key: Vec<i64>,
        value: Value,
        frame: &mut Frame,
    ) -> Outcome<()> {
        let name = &target.name.name;
        if frame.loops.iter().any(|(counter, _)| counter == name) {
            let message = format!("`{name}` counts the enclosing `repeat`");
            let error = Diagnostic::error("assign::counter", message).at(target.span, "");
            return Err(self.fail(error.help("take another name")));
        }
        match (frame.locals.get_mut(name), key.is_empty()) {
            (_, true) => {
                frame.locals.insert(name.clone(), Local::Plain(value));
            }
            (Some(Local::Family(family)), false) => {
                family.insert(key, value);
            }
            (Some(Local::Plain(_)), false) => {
                let message = format!("`{name}` is bound without an index already");
                let error = Diagnostic::error("assign::index", message).at(target.span, "");
                return Err(self.fail(error.help("take another name for one of the two")));
            }
            (None, false) => {
                let family = Local::Family(BTreeMap::from([(key, value)]));
                frame.locals.insert(name.clone(), family);
            }
        }
        Ok(())
    }
}

/// For a condition such as `H % 16 == 0`, the sizes next to the one that fails it.
fn nearest_multiples(condition: &Expr, frame: &Frame) -> Option<String> {
    let ExprKind::Binary(BinaryOp::Equal, left, right) = &condition.kind else {
        return None;
    };
    let ExprKind::Binary(BinaryOp::Remainder, name, of) = &left.kind else {
        return None;
    };
    let (ExprKind::Name(name), ExprKind::Int(of), ExprKind::Int(0)) =
        (&name.kind, &of.kind, &right.kind)
    else {
        return None;
    };
    let Some(Local::Plain(Value::Int(size))) = frame.locals.get(name) else {
        return None;
    };
    let below = size - size.checked_rem(*of)?;
    let sizes = match below {
        0 => format!("the nearest {name} is {of}"),
        below => format!("the nearest {name} are {below} and {}", below + of),
    };
    Some(format!("{sizes}: choose another `data.size`"))
}
