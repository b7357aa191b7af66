//! Statements of blocks and models: the names they bind and the nodes they add.

use std::collections::BTreeMap;
use std::ops::Range;

use super::arguments::Callee;
use super::lookup::spell;
use super::state::{
    Declared, Elaborator, Frame, Local, Outcome, Place, PlacedRule, Reported, Size, Unused,
};
use super::value::Value;
use crate::diagnostic::{bail, error};
use crate::graph::{Graph, Input, NodeId, Parameter, ParameterKind};
use crate::passes::loss::{OUTPUT, head_name};
use crate::setting::Setting;
use crate::syntax::ast::*;
use crate::syntax::span::Span;
use crate::tensor_type::TensorType;

/// The annotation that makes no rule: the layer below it is never computed.
const UNUSED: &str = "unused";

/// How many rules annotations may make.
const MAX_RULES: usize = 500;

/// How far the network was before a statement.
struct Before {
    layers: usize,
    nodes: usize,
    rules: usize,
}

/// Input and output of an elaborated model.
pub struct Given {
    pub input: String,
    pub input_id: NodeId,
    pub output: NodeId,
    /// The expression that declares the output.
    pub output_span: Span,
    /// The layers that are never computed, by their numbers.
    pub unused: Vec<Range<usize>>,
}

/// Lets the parameters of the nodes from `first` on exist without being computed or trained.
pub(super) fn set_aside(graph: &mut Graph, first: usize) {
    graph.retain_effects(|id| id.index() < first);
    let new: Vec<_> = graph.ids().filter(|id| id.index() >= first).collect();
    for id in new {
        let Some(parameter) = graph.op::<Parameter>(id).cloned() else {
            continue;
        };
        graph.add_effect(id);
        if parameter.kind == ParameterKind::Trained {
            let kind = ParameterKind::Unused;
            // The type stays, so the graph cannot refuse.
            let _ = graph.set_op(id, Parameter { kind, ..parameter });
        }
    }
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
        self.network.declared = Declared {
            size,
            ..Declared::default()
        };
        self.body(&model.body, frame)?;
        let name = &model.name;
        let declared = std::mem::take(&mut self.network.declared);
        let Some((input, input_id)) = declared.input.clone() else {
            if !self.found.errors.is_empty() {
                return Err(Reported);
            }
            bail!(
                self, "model::input" at name.span, "the model `{}` has no input", name.name;
                help: "begin it with `input ct: [1, H, W]`"
            );
        };
        let Some((&(output, output_span), earlier)) = declared.outputs.split_last() else {
            if !self.found.errors.is_empty() {
                return Err(Reported);
            }
            bail!(
                self, "model::output" at name.span, "the model `{}` has no output", name.name;
                help: "end it with `output y`"
            );
        };
        for (at, (head, _)) in earlier.iter().enumerate() {
            self.network.graph.set_output(head_name(at), *head);
        }
        self.network.graph.set_output(OUTPUT, output);
        self.refuse_reading(&declared)?;
        let unused = declared.unused.into_iter().map(|unused| unused.layers);
        Ok(Given {
            input,
            input_id,
            output,
            output_span,
            unused: unused.collect(),
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
        self.network.declared = Declared {
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

    /// Runs statements; gives the value of a `return`, if one was reached.
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
            self.fail(error!(
                "rule::place" at annotation.span, "`@{}` stands above no layer", annotation.name.name;
                help: "annotations stand above an assignment such as `head = conv(...)`"
            ));
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
                    bail!(
                        self, "model::return" at statement.span, "a model does not return";
                        help: "name the result with `output y`"
                    );
                }
                let place = Place::within(frame);
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
        bail!(
            self, "block::statement" at span, "a block has no `{word}`";
            help: "tensors come in as parameters and go out with `return`"
        );
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
        if self.network.declared.input.is_some() {
            bail!(self, "model::input" at name.span, "a model has one input"; here: "this is the second");
        }
        let [channels, height, width] = shape else {
            let span = shape.first().map_or(name.span, |axis| axis.span);
            bail!(
                self, "input::shape" at span, "an input has three axes"; help: "write `[channels, H, W]`"
            );
        };
        let size = self.network.declared.size;
        self.axis(channels, "channel", size.channels, frame)?;
        self.axis(height, "row", size.height, frame)?;
        self.axis(width, "column", size.width, frame)?;
        for condition in conditions {
            if self.bool(condition, frame)? {
                continue;
            }
            let text = self.texts.sources.slice(condition.span);
            let near = nearest_multiples(condition, frame);
            self.fail(error!(
                "input::where" at condition.span, "the input does not fit: `{text}` does not hold";
                here: "the input is {} x {}", size.height, size.width;
                help: "{}", near.as_deref().unwrap_or("choose another `data.size`")
            ));
        }
        let ty = TensorType::image([size.batch, size.channels, size.height, size.width]);
        let path = self.network.unique(name.name.clone());
        let id = match self.network.graph.add(Input { ty }, &[], path) {
            Ok(id) => id,
            Err(error) => bail!(self, "input::shape" at name.span, "{}", error.message),
        };
        self.network.made.insert(id, name.span);
        self.network.declared.input = Some((self.network.graph.name(id).to_owned(), id));
        let value = Local::Plain(Value::Tensor(id));
        frame.locals.insert(name.name.clone(), value);
        Ok(())
    }

    /// One axis of the input: a number that must be the given one, or a name for it.
    fn axis(&mut self, axis: &Expr, what: &str, given: usize, frame: &mut Frame) -> Outcome<()> {
        if let Value::Word(symbol) = self.setting(axis, frame)? {
            let value = Local::Plain(Value::Int(given as i64));
            frame.locals.insert(symbol, value);
            return Ok(());
        }
        let wanted = self.int(axis, frame)?;
        if wanted == given as i64 {
            return Ok(());
        }
        let plural = if given == 1 { "" } else { "s" };
        let help = match what {
            "channel" => "the data gives one channel".to_owned(),
            _ => format!("set `data.size` to this, or write a name for any number of {what}s"),
        };
        bail!(
            self, "input::size" at axis.span, "the input has {given} {what}{plural}, not {wanted}"; help: "{help}"
        );
    }

    /// One head, or several of equal shape: the loss is their mean, evaluation and prediction use the last.
    fn output(&mut self, values: &[Expr], span: Span, frame: &Frame) -> Outcome<()> {
        let place = Place::within(frame);
        if let Some((_, first)) = self.network.declared.outputs.first() {
            bail!(
                self, "model::output" at span, "a model has one `output`";
                here: "this is the second";
                see: *first, "this is the first";
                help: "several heads stand in one line: `output a, b`"
            );
        }
        for value in values {
            let items = match self.eval(value, frame, &place)? {
                Value::List(list) => list.items().to_vec(),
                single => vec![single],
            };
            for item in items {
                match item {
                    Value::Tensor(id) => self.network.declared.outputs.push((id, value.span)),
                    found => return Err(self.mismatch("a tensor", &found, value, frame)),
                }
            }
        }
        let heads = &self.network.declared.outputs;
        let Some((last, at)) = heads.last() else {
            return Ok(());
        };
        let ty = |id: NodeId| self.network.graph.ty(id);
        match heads.iter().find(|(id, _)| ty(*id) != ty(*last)) {
            None => Ok(()),
            Some((id, span)) => {
                let error = error!(
                    "model::heads" at *span, "the heads of a model have one shape";
                    here: "{}", ty(*id);
                    help: "`resize` brings a map to another size"
                );
                let error = error.at(*at, ty(*last).to_string());
                Err(self.fail(error))
            }
        }
    }

    /// Refuses a network whose output needs a layer marked `@unused`.
    fn refuse_reading(&mut self, declared: &Declared) -> Outcome<()> {
        let mut open: Vec<_> = declared.outputs.iter().map(|(id, _)| *id).collect();
        let mut live = vec![false; self.network.graph.len()];
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut live[id.index()], true) {
                open.extend(self.network.graph.inputs(id));
            }
        }
        let mut result = Ok(());
        for unused in &declared.unused {
            if live[unused.nodes.clone()].contains(&true) {
                result = Err(self.fail(error!(
                    "rule::unused" at unused.span, "`{}` is unused, but the output needs it", unused.path;
                    help: "take `@unused` away"
                )));
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
        let keys = self.keys(targets, frame)?;
        let path = path_of(targets, &keys, frame);
        let path = match value.kind {
            ExprKind::Call(..) | ExprKind::Binary(..) | ExprKind::If { .. } => {
                self.network.unique(path)
            }
            _ => path,
        };
        let before = Before {
            layers: self.network.layers.len(),
            nodes: self.network.graph.len(),
            rules: self.network.rules.len(),
        };
        let place = Place {
            exact: Some(path.clone()),
            base: path.clone(),
        };
        let found = self.eval(value, frame, &place);
        let result = found.as_ref().map(|_| ()).map_err(|reported| *reported);
        let makes_layer = result.is_err() || self.network.layers.len() > before.layers;
        let makes = (value.span, makes_layer);
        let path = Ident {
            name: path,
            span: targets[0].span,
        };
        self.annotate(annotations, &path, makes, &before, frame)?;
        self.take_apart(targets, keys, value, found.unwrap_or(Value::Poison), frame)?;
        result
    }

    /// The indices behind each target.
    fn keys(&mut self, targets: &[Target], frame: &mut Frame) -> Outcome<Vec<Vec<i64>>> {
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
        Ok(keys)
    }

    /// Makes the rules of the annotations above an assignment. `makes` is its value, and whether that makes a layer (or
    /// failed, so that nobody knows); `before` is how far the network was.
    fn annotate(
        &mut self,
        annotations: &[Method],
        path: &Ident,
        makes: (Span, bool),
        before: &Before,
        frame: &Frame,
    ) -> Outcome<()> {
        let is_unused = |annotation: &&Method| annotation.name.name == UNUSED;
        if let Some(unused) = annotations.iter().find(is_unused) {
            if let Some(other) = annotations.iter().find(|other| other.span != unused.span) {
                self.fail(error!(
                    "rule::unused" at other.span, "an unused layer carries no other annotation";
                    see: unused.span, "it is never computed"
                ));
            }
            let none: Callee<Setting> = Callee {
                name: UNUSED,
                declared: &[],
                by_position: false,
                defined: None,
            };
            let _: Outcome<_> = self.settings(&none, &unused.arguments, unused.span, frame);
            self.network.rules.truncate(before.rules);
            set_aside(&mut self.network.graph, before.nodes);
            self.network.declared.unused.push(Unused {
                path: path.name.clone(),
                span: unused.span,
                nodes: before.nodes..self.network.graph.len(),
                layers: before.layers..self.network.layers.len(),
            });
        }
        for annotation in annotations {
            let (value, makes_layer) = makes;
            if !makes_layer {
                self.fail(error!(
                    "rule::place" at annotation.span, "`@{}` stands above no layer", annotation.name.name;
                    see: value, "this makes no layer"
                ));
                continue;
            }
            if is_unused(&annotation) {
                continue;
            }
            if self.network.rules.len() >= MAX_RULES {
                return Err(self.stop(error!(
                    "limit::rules" at annotation.span, "more than {MAX_RULES} layers carry an annotation";
                    help: "one rule such as `e[*].conv1 => qpg()` is enough"
                )));
            }
            if let Ok(rule) = self.rule(annotation, path, frame) {
                self.network.rules.push(PlacedRule {
                    rule,
                    span: annotation.span,
                    from_annotation: true,
                });
            }
        }
        Ok(())
    }

    /// Binds one name to a value, or several names to the values of a list.
    fn take_apart(
        &mut self,
        targets: &[Target],
        keys: Vec<Vec<i64>>,
        value: &Expr,
        found: Value,
        frame: &mut Frame,
    ) -> Outcome<()> {
        let values = match (&found, targets) {
            (_, [_]) => vec![found],
            (Value::Poison, _) => vec![Value::Poison; targets.len()],
            (Value::List(list), _) => list.items().to_vec(),
            _ => vec![found],
        };
        if values.len() != targets.len() {
            let count = values.len();
            let plural = if count == 1 { "" } else { "s" };
            bail!(
                self, "assign::count" at value.span, "{} names for {count} values", targets.len();
                here: "gives {count} value{plural}"
            );
        }
        for ((target, key), value) in targets.iter().zip(keys).zip(values) {
            self.set(target, key, value, frame)?;
        }
        Ok(())
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
            bail!(
                self, "assign::counter" at target.span, "`{name}` counts the enclosing `repeat`";
                help: "take another name"
            );
        }
        match (frame.locals.get_mut(name), key.is_empty()) {
            (_, true) => {
                frame.locals.insert(name.clone(), Local::Plain(value));
            }
            (Some(Local::Family(family)), false) => {
                family.insert(key, value);
            }
            (Some(Local::Plain(_)), false) => {
                bail!(
                    self, "assign::index" at target.span, "`{name}` is bound without an index already";
                    help: "take another name for one of the two"
                );
            }
            (None, false) => {
                let family = Local::Family(BTreeMap::from([(key, value)]));
                frame.locals.insert(name.clone(), family);
            }
        }
        Ok(())
    }
}

/// The path of the layer that an assignment makes. A name bound in a `repeat` carries the counters.
fn path_of(targets: &[Target], keys: &[Vec<i64>], frame: &Frame) -> String {
    match (targets, keys) {
        ([target], [key]) if key.is_empty() => {
            let counters: Vec<_> = frame.loops.iter().map(|(_, at)| *at).collect();
            frame.join(&spell(&target.name.name, &counters))
        }
        ([target], [key]) => frame.join(&spell(&target.name.name, key)),
        _ => frame.join(&targets[0].name.name),
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
