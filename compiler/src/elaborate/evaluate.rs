//! Expressions to values.

use std::collections::BTreeMap;

use super::load::{Module, name_of};
use super::network::Declared;
use super::value::{List, Value};
use super::{Layer, PlacedRule};
use crate::diagnostic::{Diagnostic, list, nearest};
use crate::graph::{Graph, NodeId};
use crate::ops::LAYERS;
use crate::syntax::ast::*;
use crate::syntax::span::{FileId, Sources, Span, World};

/// How many expressions and statements one elaboration may evaluate.
const MAX_STEPS: usize = 500_000;

/// How deep statements, expressions and blocks may lie in one another while they are evaluated.
const MAX_DEPTH: usize = 320;

/// How many errors are reported at most.
const MAX_ERRORS: usize = 30;

/// How many values a range may hold.
pub const MAX_REPEAT: i64 = 10_000;

/// Something failed, and was reported.
#[derive(Clone, Copy, Debug)]
pub struct Reported;

/// The result of an evaluation.
pub type Outcome<T> = Result<T, Reported>;

/// What a name is bound to inside a block or a model.
#[derive(Clone, Debug)]
pub enum Local {
    /// `x = ...`
    Plain(Value),
    /// `e[i] = ...`, by index.
    Family(BTreeMap<Vec<i64>, Value>),
}

/// Where a name or an expression is looked up: the module, and what is bound inside the block.
#[derive(Clone, Debug)]
pub struct Frame<'m> {
    /// The file.
    pub module: &'m Module,
    /// Bound names.
    pub locals: BTreeMap<String, Local>,
    /// What the paths of layers begin with; empty in a model.
    pub prefix: String,
    /// Counters of the enclosing `repeat`s.
    pub loops: Vec<(String, i64)>,
    /// Whether names may be missing because a statement failed.
    pub unsure: bool,
    /// Whether this is a model, not a block.
    pub model: bool,
}

impl<'m> Frame<'m> {
    /// The top level of a file.
    pub fn of(module: &'m Module) -> Frame<'m> {
        Frame {
            module,
            locals: BTreeMap::new(),
            prefix: String::new(),
            loops: Vec::new(),
            unsure: false,
            model: false,
        }
    }

    /// `name` below the prefix.
    pub fn join(&self, name: &str) -> String {
        match self.prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.prefix),
        }
    }
}

/// The path that the layer an expression makes will have.
#[derive(Clone, Debug)]
pub struct Place {
    /// The path of the outermost call, if it is bound to a name.
    pub exact: Option<String>,
    /// What the paths of the calls inside it begin with.
    pub base: String,
}

impl Place {
    /// For what lies inside.
    pub fn inner(&self) -> Place {
        Place {
            exact: None,
            base: self.base.clone(),
        }
    }
}

/// A block being expanded.
#[derive(Clone, Debug)]
pub struct Active {
    /// Its file.
    pub file: FileId,
    /// Its name.
    pub name: String,
    /// The call.
    pub site: Span,
}

/// Evaluates expressions, and collects what they make: graph, rules, errors.
pub struct Elaborator<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// Environment variables.
    pub world: &'a dyn World,
    /// All files.
    pub modules: &'a [Module],
    /// Whether layers may be called here.
    pub in_network: bool,
    /// Whether normalisations train.
    pub training: bool,
    /// The network so far.
    pub graph: Graph,
    /// Its layers in order.
    pub layers: Vec<Layer>,
    /// Where each output of a layer was made.
    pub made: BTreeMap<NodeId, Span>,
    /// Rules of annotations.
    pub rules: Vec<PlacedRule>,
    /// Paths that are taken, and the number that the next one of that name gets.
    paths: BTreeMap<String, usize>,
    /// The model under elaboration.
    pub declared: Declared,
    /// Blocks being expanded, the outermost first.
    pub calls: Vec<Active>,
    /// What went wrong.
    pub errors: Vec<Diagnostic>,
    /// What is remarkable.
    pub warnings: Vec<Diagnostic>,
    depth: usize,
    steps: usize,
    stopped: bool,
}

impl<'a> Elaborator<'a> {
    /// An elaborator without a network.
    pub fn new(sources: &'a Sources, world: &'a dyn World, modules: &'a [Module]) -> Self {
        Elaborator {
            sources,
            world,
            modules,
            in_network: false,
            training: false,
            graph: Graph::default(),
            layers: Vec::new(),
            made: BTreeMap::new(),
            rules: Vec::new(),
            paths: BTreeMap::new(),
            declared: Declared::default(),
            calls: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            depth: 0,
            steps: 0,
            stopped: false,
        }
    }

    /// Reports an error once per place; inside blocks the calls that led there are shown.
    pub fn fail(&mut self, mut error: Diagnostic) -> Reported {
        for active in self.calls.iter().rev().take(2) {
            error = error.see(active.site, format!("in this call of `{}`", active.name));
        }
        let place = |d: &Diagnostic| d.labels.first().map(|label| label.span);
        let known = self
            .errors
            .iter()
            .any(|old| old.code == error.code && place(old) == place(&error));
        if !known && self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
        if self.errors.len() >= MAX_ERRORS {
            self.stopped = true;
        }
        Reported
    }

    /// Reports an error after which nothing more is evaluated.
    pub fn stop(&mut self, error: Diagnostic) -> Reported {
        self.stopped = true;
        self.fail(error)
    }

    /// Whether nothing more is to be evaluated.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Counts a step of evaluation one level down; [`Elaborator::leave`] goes up again.
    pub fn enter(&mut self, span: Span) -> Outcome<()> {
        if self.stopped {
            return Err(Reported);
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            let message = format!("this takes more than {MAX_STEPS} steps to work out");
            let error = Diagnostic::error("limit::steps", message).at(span, "stopped here");
            return Err(self.stop(error));
        }
        if self.depth >= MAX_DEPTH {
            let error = Diagnostic::error("limit::depth", "blocks and values nest too deeply");
            return Err(self.stop(error.at(span, "stopped here")));
        }
        self.depth += 1;
        Ok(())
    }

    /// Ends what [`Elaborator::enter`] began.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The value of a setting, outside of any network.
    pub fn setting(&mut self, expr: &Expr, frame: &Frame) -> Outcome<Value> {
        let place = Place {
            exact: None,
            base: String::new(),
        };
        self.eval(expr, frame, &place)
    }

    /// The value of an expression.
    pub fn eval(&mut self, expr: &Expr, frame: &Frame, place: &Place) -> Outcome<Value> {
        self.enter(expr.span)?;
        let value = self.eval_kind(expr, frame, place);
        self.leave();
        match value {
            Ok(Value::Poison) => Err(Reported),
            value => value,
        }
    }

    fn eval_kind(&mut self, expr: &Expr, frame: &Frame, place: &Place) -> Outcome<Value> {
        let inner = place.inner();
        match &expr.kind {
            ExprKind::Int(value) => Ok(Value::Int(*value)),
            ExprKind::Float(value) => Ok(Value::Float(*value)),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Str(text) => Ok(Value::Str(text.as_str().into())),
            ExprKind::Name(name) => self.name(name, expr.span, frame),
            ExprKind::Member(of, word) => self.member(of, word, frame),
            ExprKind::Index(of, index) => self.index(expr, of, index, frame, &inner),
            ExprKind::Call(callee, arguments) => self.call(expr, callee, arguments, frame, place),
            ExprKind::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.eval(item, frame, &inner)?);
                }
                self.list(values, expr.span)
            }
            ExprKind::Unary(op, value) => {
                let found = self.eval(value, frame, &inner)?;
                match (op, &found) {
                    (UnaryOp::Not, Value::Bool(value)) => Ok(Value::Bool(!value)),
                    (UnaryOp::Negate, Value::Int(value)) => {
                        let value = value.checked_neg().map(Value::Int);
                        value.ok_or(Reported).or_else(|_| self.overflow(expr.span))
                    }
                    (UnaryOp::Negate, Value::Float(value)) => Ok(Value::Float(-value)),
                    (UnaryOp::Not, _) => Err(self.mismatch("true or false", &found, value, frame)),
                    (UnaryOp::Negate, _) => Err(self.mismatch("a number", &found, value, frame)),
                }
            }
            ExprKind::Binary(op, left, right) => self.binary(expr, *op, left, right, frame, place),
            ExprKind::Range {
                from,
                to,
                inclusive,
            } => Ok(Value::Range {
                from: self.int(from, frame)?,
                to: self.int(to, frame)?,
                inclusive: *inclusive,
            }),
            ExprKind::If {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    if self.bool(condition, frame)? {
                        return self.eval(value, frame, place);
                    }
                }
                self.eval(otherwise, frame, place)
            }
        }
    }

    /// A list, unless it is too large.
    pub fn list(&mut self, values: Vec<Value>, span: Span) -> Outcome<Value> {
        List::new(values).map(Value::List).ok_or_else(|| {
            self.fail(Diagnostic::error("limit::list", "this list is too large").at(span, ""))
        })
    }

    fn name(&mut self, name: &str, span: Span, frame: &Frame) -> Outcome<Value> {
        match frame.locals.get(name) {
            Some(Local::Plain(value)) => return Ok(value.clone()),
            Some(Local::Family(family)) => {
                let keys = family_keys(name, family);
                let message = format!("`{name}` needs an index");
                let error = Diagnostic::error("name::index", message).at(span, "");
                return Err(self.fail(error.help(format!("bound are {keys}"))));
            }
            None => {}
        }
        if let Some(value) = frame.module.lets.get(name) {
            return Ok(value.clone());
        }
        if frame.unsure {
            return Err(Reported);
        }
        Ok(Value::Word(name.to_owned()))
    }

    fn member(&mut self, of: &Expr, word: &Ident, frame: &Frame) -> Outcome<Value> {
        let module = self.imported(of, word, frame)?;
        if let Some(value) = module.lets.get(&word.name) {
            return Ok(value.clone());
        }
        Err(self.absent(module, word, "value", |item| match item {
            Item::Let(item) => Some(&item.name),
            _ => None,
        }))
    }

    /// The module that `of` names, for looking up `word` in it.
    pub fn imported(&mut self, of: &Expr, word: &Ident, frame: &Frame) -> Outcome<&'a Module> {
        let ExprKind::Name(alias) = &of.kind else {
            let message = format!("nothing has a part called `.{}` here", word.name);
            let error = Diagnostic::error("name::member", message).at(of.span, "not an import");
            return Err(self.fail(error.help("only imported files have parts: `b.double(...)`")));
        };
        if let Some(&index) = frame.module.imports.get(alias) {
            return Ok(&self.modules[index]);
        }
        let message = format!("no import is called `{alias}`");
        let mut error = Diagnostic::error("name::member", message).at(of.span, "");
        let known: Vec<_> = frame.module.imports.keys().map(String::as_str).collect();
        let help = crate::diagnostic::suggest(alias, &known);
        error.help =
            help.or_else(|| Some(format!("write `import \"file.hqc\" as {alias}` at the top")));
        Err(self.fail(error))
    }

    /// Reports that a module has no item called `word`.
    pub fn absent(
        &mut self,
        module: &Module,
        word: &Ident,
        what: &str,
        of: fn(&Item) -> Option<&Ident>,
    ) -> Reported {
        let file = self.sources.name(module.file);
        let message = format!("`{file}` has no {what} called `{}`", word.name);
        let mut error = Diagnostic::error("name::unknown", message).at(word.span, "");
        error.help = crate::diagnostic::suggest(&word.name, &module.names(of)).or_else(|| {
            let item = module.tree.items.iter().filter_map(name_of);
            let item = item.into_iter().find(|ident| ident.name == word.name);
            item.map(|_| format!("there is a `{}`, but it is no {what}", word.name))
        });
        self.fail(error)
    }

    fn index(
        &mut self,
        expr: &Expr,
        of: &Expr,
        index: &Expr,
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        // e[i][j] looks up the member (i, j) of a family.
        let mut indices = vec![index];
        let mut root = of;
        while let ExprKind::Index(of, index) = &root.kind {
            indices.push(index);
            root = of;
        }
        if let ExprKind::Name(name) = &root.kind
            && let Some(Local::Family(family)) = frame.locals.get(name)
        {
            let mut key = Vec::new();
            for index in indices.into_iter().rev() {
                key.push(self.int(index, frame)?);
            }
            if let Some(value) = family.get(&key) {
                return Ok(value.clone());
            }
            if frame.unsure {
                return Err(Reported);
            }
            let written = spell(name, &key);
            let error = Diagnostic::error("name::index", format!("`{written}` is not bound"));
            let error = error.at(expr.span, self.counters(frame));
            let keys = family_keys(name, family);
            return Err(self.fail(error.help(format!("bound are {keys}"))));
        }
        let value = self.eval(of, frame, place)?;
        let Value::List(list) = &value else {
            return Err(self.mismatch("a list", &value, of, frame));
        };
        let at = self.int(index, frame)?;
        let item = usize::try_from(at).ok().and_then(|at| list.items().get(at));
        item.cloned().ok_or_else(|| {
            let length = list.items().len();
            let message = format!("there is no value {at} in a list of {length}");
            let error = Diagnostic::error("value::index", message).at(index.span, "");
            self.fail(error.help("the first value is number 0"))
        })
    }

    /// A whole number.
    pub fn int(&mut self, expr: &Expr, frame: &Frame) -> Outcome<i64> {
        match self.setting(expr, frame)? {
            Value::Int(value) => Ok(value),
            value => Err(self.mismatch("a whole number", &value, expr, frame)),
        }
    }

    /// True or false.
    pub fn bool(&mut self, expr: &Expr, frame: &Frame) -> Outcome<bool> {
        match self.setting(expr, frame)? {
            Value::Bool(value) => Ok(value),
            value => Err(self.mismatch("true or false", &value, expr, frame)),
        }
    }

    fn binary(
        &mut self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let inner = place.inner();
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            let first = self.bool(left, frame)?;
            if first == (op == BinaryOp::Or) {
                return Ok(Value::Bool(first));
            }
            return self.bool(right, frame).map(Value::Bool);
        }
        let a = self.eval(left, frame, &inner)?;
        let b = self.eval(right, frame, &inner)?;
        if let (Value::List(a), BinaryOp::Add, Value::List(b)) = (&a, op, &b) {
            return self.list([a.items(), b.items()].concat(), expr.span);
        }
        if matches!((&a, &b), (Value::Tensor(_), _) | (_, Value::Tensor(_))) {
            return self.tensor_arithmetic(expr, op, [(left, a), (right, b)], frame, place);
        }
        if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
            let equal = match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => a == b,
                _ => a == b,
            };
            return Ok(Value::Bool(equal == (op == BinaryOp::Equal)));
        }
        if let (Value::Int(a), Value::Int(b)) = (&a, &b) {
            return self.whole(*a, op, *b, expr, right);
        }
        let Some(x) = a.as_float() else {
            return Err(self.mismatch("a number", &a, left, frame));
        };
        let Some(y) = b.as_float() else {
            return Err(self.mismatch("a number", &b, right, frame));
        };
        let value = match op {
            BinaryOp::Less => return Ok(Value::Bool(x < y)),
            BinaryOp::LessEqual => return Ok(Value::Bool(x <= y)),
            BinaryOp::Greater => return Ok(Value::Bool(x > y)),
            BinaryOp::GreaterEqual => return Ok(Value::Bool(x >= y)),
            BinaryOp::Add => x + y,
            BinaryOp::Subtract => x - y,
            BinaryOp::Multiply => x * y,
            BinaryOp::Divide => x / y,
            BinaryOp::Remainder => x % y,
            _ => x.powf(y),
        };
        match value.is_finite() {
            true => Ok(Value::Float(value)),
            false => self.overflow(expr.span),
        }
    }

    fn whole(&mut self, a: i64, op: BinaryOp, b: i64, expr: &Expr, right: &Expr) -> Outcome<Value> {
        if b == 0 && matches!(op, BinaryOp::Divide | BinaryOp::Remainder) {
            let error = Diagnostic::error("value::division", "division by zero");
            return Err(self.fail(error.at(right.span, "this is 0")));
        }
        let value = match op {
            BinaryOp::Less => return Ok(Value::Bool(a < b)),
            BinaryOp::LessEqual => return Ok(Value::Bool(a <= b)),
            BinaryOp::Greater => return Ok(Value::Bool(a > b)),
            BinaryOp::GreaterEqual => return Ok(Value::Bool(a >= b)),
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Subtract => a.checked_sub(b),
            BinaryOp::Multiply => a.checked_mul(b),
            BinaryOp::Divide => match a.checked_rem(b) {
                Some(0) => a.checked_div(b),
                _ => return Ok(Value::Float(a as f64 / b as f64)),
            },
            BinaryOp::Remainder => a.checked_rem_euclid(b),
            _ => match u32::try_from(b) {
                Ok(b) => a.checked_pow(b),
                Err(_) if b < 0 && a != 0 => {
                    return Ok(Value::Float((a as f64).powf(b as f64)));
                }
                Err(_) => None,
            },
        };
        match value {
            Some(value) => Ok(Value::Int(value)),
            None => self.overflow(expr.span),
        }
    }

    fn overflow(&mut self, span: Span) -> Outcome<Value> {
        let error = Diagnostic::error("value::overflow", "this value is too large");
        Err(self.fail(error.at(span, "")))
    }

    /// The values a `repeat` runs over.
    pub fn range(&mut self, expr: &Expr, frame: &Frame) -> Outcome<Vec<i64>> {
        let value = self.setting(expr, frame)?;
        let (from, to, inclusive) = match value {
            Value::Range {
                from,
                to,
                inclusive,
            } => (from, to, inclusive),
            Value::List(list) => {
                let ints = list.items().iter().map(|item| match item {
                    Value::Int(value) => Some(*value),
                    _ => None,
                });
                let found: Option<Vec<i64>> = ints.collect();
                let value = Value::List(list.clone());
                return found.ok_or_else(|| self.mismatch("whole numbers", &value, expr, frame));
            }
            value => {
                let wanted = "a range such as `1 to 4` or `0..4`";
                return Err(self.mismatch(wanted, &value, expr, frame));
            }
        };
        let length = to.abs_diff(from);
        if length >= MAX_REPEAT as u64 {
            let message = format!("a range may hold at most {MAX_REPEAT} values");
            let error = Diagnostic::error("limit::repeat", message);
            return Err(
                self.fail(error.at(expr.span, format!("{from} and {to} are too far apart")))
            );
        }
        Ok(match (inclusive, from <= to) {
            (true, true) => (from..=to).collect(),
            (true, false) => (to..=from).rev().collect(),
            (false, _) => (from..to).collect(),
        })
    }

    /// Reports a value of the wrong kind; a word there is a name that nothing is bound to.
    pub fn mismatch(&mut self, wanted: &str, found: &Value, at: &Expr, frame: &Frame) -> Reported {
        if let Value::Word(word) = found {
            return self.unknown(word, at.span, frame);
        }
        let shown = match found {
            Value::Tensor(id) => format!("a tensor {}", self.graph.ty(*id)),
            Value::List(_) => "a list".to_owned(),
            found => format!("{} {}", found.kind(), found.print()),
        };
        let error = Diagnostic::error("value::kind", format!("expected {wanted}"));
        self.fail(error.at(at.span, format!("this is {shown}")))
    }

    /// Reports a name that nothing is bound to.
    pub fn unknown(&mut self, name: &str, span: Span, frame: &Frame) -> Reported {
        let error = Diagnostic::error("name::unknown", format!("nothing is called `{name}`"));
        let mut error = error.at(span, self.counters(frame));
        let locals = frame.locals.keys().map(String::as_str);
        let lets = frame.module.lets.keys().map(String::as_str);
        if let Some(near) = nearest(name, locals.chain(lets)) {
            error = error.help(format!("did you mean `{near}`?"));
        } else if frame.module.block(name).is_some() || LAYERS.iter().any(|l| l.name == name) {
            error = error.help(format!("`{name}` is a layer: call it, `{name}(...)`"));
        }
        self.fail(error)
    }

    /// `i = 3` of the enclosing repeats, for a label.
    pub fn counters(&self, frame: &Frame) -> String {
        let counters = frame
            .loops
            .iter()
            .map(|(name, at)| format!("{name} = {at}"));
        let counters: Vec<_> = counters.collect();
        match counters.is_empty() {
            true => String::new(),
            false => format!("with {}", counters.join(", ")),
        }
    }

    /// A path that no other layer has: `path`, else `path2`, `path3`, ...
    pub fn unique(&mut self, path: String) -> String {
        let gap = if path.ends_with(']') { "_" } else { "" };
        let mut free = path.clone();
        while self.paths.contains_key(&free) {
            let number = self.paths.entry(path.clone()).or_insert(1);
            *number += 1;
            free = format!("{path}{gap}{number}");
        }
        self.paths.insert(free.clone(), 1);
        free
    }
}

/// `e[2]`
pub fn spell(name: &str, key: &[i64]) -> String {
    let indices: String = key.iter().map(|index| format!("[{index}]")).collect();
    format!("{name}{indices}")
}

fn family_keys(name: &str, family: &BTreeMap<Vec<i64>, Value>) -> String {
    let mut keys: Vec<_> = family
        .keys()
        .map(|key| format!("`{}`", spell(name, key)))
        .collect();
    if keys.len() > 8 {
        keys.truncate(8);
        keys.push("...".to_owned());
    }
    list(&keys, "and")
}
