//! Calls: layers, blocks, and the few functions on numbers.

use std::collections::BTreeMap;

use super::Layer;
use super::evaluate::{Active, Elaborator, Frame, Local, Outcome, Place, Reported};
use super::load::Module;
use super::value::Value;
use crate::diagnostic::{Diagnostic, list, suggest};
use crate::graph::NodeId;
use crate::ops::{Builder, Kind, LAYERS, LayerInfo, Setting, SettingValue, Settings};
use crate::syntax::ast::*;
use crate::syntax::span::Span;
use crate::tensor_type::{Layout, ShapeError, TensorType};

/// How many elements a tensor may have.
const MAX_ELEMENTS: usize = 1 << 31;

/// How many nodes the graph of a network may have.
const MAX_NODES: usize = 20_000;

/// Functions on settings, with the number of their arguments.
const FUNCTIONS: [(&str, usize); 11] = [
    ("abs", 1),
    ("ceil", 1),
    ("channels", 1),
    ("env", 1),
    ("floor", 1),
    ("height", 1),
    ("len", 1),
    ("log2", 1),
    ("max", 2),
    ("min", 2),
    ("width", 1),
];

/// A tensor given to a layer, and the expression that names it.
type Given<'e> = (&'e Expr, NodeId);

impl Elaborator<'_> {
    /// The value of a call.
    pub fn call(
        &mut self,
        expr: &Expr,
        callee: &Expr,
        arguments: &[Argument],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        match &callee.kind {
            ExprKind::Name(name) => {
                if let Some(block) = frame.module.block(name) {
                    let module = frame.module;
                    return self.call_block(module, block, expr, arguments, frame, place);
                }
                if let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) {
                    return self.call_layer(layer, expr, arguments, frame, place);
                }
                if let Some((name, count)) = FUNCTIONS.iter().find(|(known, _)| known == name) {
                    return self.call_function(name, *count, expr, arguments, frame);
                }
                Err(self.no_such_layer(name, callee.span, frame))
            }
            ExprKind::Member(of, word) => {
                let module = self.imported(of, word, frame)?;
                match module.block(&word.name) {
                    Some(block) => self.call_block(module, block, expr, arguments, frame, place),
                    None => Err(self.absent(module, word, "block", |item| match item {
                        Item::Block(block) => Some(&block.name),
                        _ => None,
                    })),
                }
            }
            _ => {
                let error = Diagnostic::error("call::callee", "this cannot be called");
                let error = error.at(callee.span, "neither a layer nor a block");
                Err(self.fail(error))
            }
        }
    }

    fn no_such_layer(&mut self, name: &str, span: Span, frame: &Frame) -> Reported {
        let message = format!("there is no layer or block called `{name}`");
        let mut error = Diagnostic::error("name::unknown", message).at(span, "");
        let blocks = frame.module.names(|item| match item {
            Item::Block(block) => Some(&block.name),
            _ => None,
        });
        let layers = LAYERS.iter().map(|layer| layer.name);
        let known: Vec<_> = blocks.into_iter().chain(layers).collect();
        error.help = match frame.module.model(name) {
            Some(_) => Some(format!(
                "`{name}` is a model; only blocks and layers can be called in a network"
            )),
            None => suggest(name, &known),
        };
        self.fail(error)
    }

    fn refuse_outside(&mut self, name: &str, span: Span) -> Outcome<()> {
        if self.in_network {
            return Ok(());
        }
        let message = format!("`{name}` makes a layer, and there is no network here");
        let error = Diagnostic::error("call::outside", message).at(span, "");
        Err(self.fail(error.help("layers are called in a `model` or a `block`")))
    }

    fn path(&mut self, frame: &Frame, place: &Place, name: &str) -> String {
        let wanted = match &place.exact {
            Some(path) => return path.clone(),
            None if place.base.is_empty() => frame.join(name),
            None => format!("{}.{name}", place.base),
        };
        self.unique(wanted)
    }

    fn call_block<'m>(
        &mut self,
        module: &'m Module,
        block: &'m Function,
        expr: &Expr,
        arguments: &[Argument],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let name = &block.name.name;
        self.refuse_outside(name, expr.span)?;
        let is_open = |active: &Active| active.file == module.file && active.name == *name;
        if self.calls.iter().any(is_open) {
            let message = format!("the block `{name}` calls itself");
            let error = Diagnostic::error("limit::recursion", message);
            let error = error
                .at(expr.span, "")
                .help("repeat with `repeat i in 1 to n { ... }`");
            return Err(self.stop(error));
        }
        let given = self.bind(block, expr.span, arguments, frame, &place.inner())?;
        let mut inner = Frame::of(module);
        inner.prefix = self.path(frame, place, name);
        self.calls.push(Active {
            file: module.file,
            name: name.clone(),
            site: expr.span,
        });
        let value = self.run_block(block, given, &mut inner);
        self.calls.pop();
        value
    }

    fn run_block(
        &mut self,
        block: &Function,
        given: BTreeMap<String, Value>,
        inner: &mut Frame,
    ) -> Outcome<Value> {
        self.fill(block, given, inner)?;
        match self.body(&block.body, inner)? {
            Some(value) => Ok(value),
            None if inner.unsure => Err(Reported),
            None => {
                let message = format!("the block `{}` returns nothing", block.name.name);
                let error = Diagnostic::error("block::return", message);
                let error = error.at(block.name.span, "no `return` is reached");
                Err(self.fail(error.help("end it with `return y`")))
            }
        }
    }

    /// The values given to a block's or a model's parameters, by name.
    pub fn bind(
        &mut self,
        function: &Function,
        span: Span,
        arguments: &[Argument],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<BTreeMap<String, Value>> {
        let name = &function.name.name;
        let mut given: BTreeMap<String, Value> = BTreeMap::new();
        let mut failed = false;
        let mut positions = function.parameters.iter();
        for argument in arguments {
            let parameter = match &argument.name {
                None => positions.next(),
                Some(word) => {
                    let found = function
                        .parameters
                        .iter()
                        .find(|p| p.name.name == word.name);
                    if found.is_none() {
                        let message = format!("`{name}` has no setting `{}`", word.name);
                        let mut error = Diagnostic::error("call::setting", message);
                        error = error.at(word.span, "");
                        error = error.see(function.name.span, format!("`{name}` is defined here"));
                        let known = function.parameters.iter().map(|p| p.name.name.as_str());
                        error.help = suggest(&word.name, &known.collect::<Vec<_>>());
                        self.fail(error);
                        failed = true;
                        continue;
                    }
                    found
                }
            };
            let Some(parameter) = parameter else {
                let count = function.parameters.len();
                let message = format!("`{name}` takes at most {count} values");
                let error = Diagnostic::error("call::count", message);
                let error = error.at(argument.value.span, "this is one too many");
                self.fail(error.see(function.name.span, format!("`{name}` is defined here")));
                failed = true;
                break;
            };
            let Ok(value) = self.eval(&argument.value, frame, place) else {
                failed = true;
                continue;
            };
            if given.insert(parameter.name.name.clone(), value).is_some() {
                let message = format!("`{}` is given twice", parameter.name.name);
                let error = Diagnostic::error("call::twice", message);
                self.fail(error.at(argument.value.span, "second time"));
                failed = true;
            }
        }
        let missing = function.parameters.iter().filter(|parameter| {
            parameter.default.is_none() && !given.contains_key(&parameter.name.name)
        });
        let missing: Vec<_> = missing.map(|p| format!("`{}`", p.name.name)).collect();
        if !missing.is_empty() && !failed {
            let message = format!("`{name}` needs {}", list(&missing, "and"));
            let error = Diagnostic::error("call::missing", message).at(span, "");
            self.fail(error.see(function.name.span, format!("`{name}` is defined here")));
            failed = true;
        }
        match failed {
            true => Err(Reported),
            false => Ok(given),
        }
    }

    /// Binds the parameters of a function: what was given, else the defaults, which may use
    /// parameters to their left.
    pub fn fill(
        &mut self,
        function: &Function,
        mut given: BTreeMap<String, Value>,
        frame: &mut Frame,
    ) -> Outcome<()> {
        for parameter in &function.parameters {
            let name = &parameter.name.name;
            let value = match (given.remove(name), &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.setting(default, frame)?,
                (None, None) => return Err(Reported),
            };
            frame.locals.insert(name.clone(), Local::Plain(value));
        }
        Ok(())
    }

    fn call_function(
        &mut self,
        name: &str,
        count: usize,
        expr: &Expr,
        arguments: &[Argument],
        frame: &Frame,
    ) -> Outcome<Value> {
        if arguments.len() != count || arguments.iter().any(|argument| argument.name.is_some()) {
            let plural = if count == 1 { "" } else { "s" };
            let message = format!("`{name}` takes {count} value{plural} by position");
            let error = Diagnostic::error("call::count", message).at(expr.span, "");
            return Err(self.fail(error));
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.setting(&argument.value, frame)?);
        }
        let first = &arguments[0].value;
        match (name, values.as_slice()) {
            ("env", [Value::Str(variable)]) => match self.world.env(variable) {
                Some(text) => Ok(Value::Str(text.into())),
                None => {
                    let message = format!("the environment variable `{variable}` is not set");
                    let warning = Diagnostic::warning("env::unset", message);
                    self.warnings.push(warning.at(expr.span, ""));
                    Ok(Value::Word("none".to_owned()))
                }
            },
            ("env", [value]) => Err(self.mismatch("a quoted name", value, first, frame)),
            ("channels" | "height" | "width", [Value::Tensor(id)]) => {
                let ty = self.graph.ty(*id);
                match extent(ty, name) {
                    Some(extent) => Ok(Value::Int(extent as i64)),
                    None => {
                        let message = format!("{ty} has no {name}");
                        let error = Diagnostic::error("value::extent", message);
                        let error = error.at(first.span, "no feature map [N, C, H, W]");
                        Err(self.fail(error.help("tokens [N, T, C] have `channels` alone")))
                    }
                }
            }
            ("channels" | "height" | "width", [value]) => {
                Err(self.mismatch("a tensor", value, first, frame))
            }
            ("len", [Value::List(list)]) => Ok(Value::Int(list.items().len() as i64)),
            ("len", [value]) => Err(self.mismatch("a list", value, first, frame)),
            ("abs", [Value::Int(value)]) => Ok(Value::Int(value.saturating_abs())),
            ("min", [Value::Int(a), Value::Int(b)]) => Ok(Value::Int(*a.min(b))),
            ("max", [Value::Int(a), Value::Int(b)]) => Ok(Value::Int(*a.max(b))),
            (name, values) => {
                let mut numbers = Vec::new();
                for (value, argument) in values.iter().zip(arguments) {
                    match value.as_float() {
                        Some(number) => numbers.push(number),
                        None => {
                            return Err(self.mismatch("a number", value, &argument.value, frame));
                        }
                    }
                }
                let x = numbers[0];
                let whole = |x: f64| Value::Int(x as i64);
                Ok(match name {
                    "floor" => whole(x.floor()),
                    "ceil" => whole(x.ceil()),
                    "abs" => Value::Float(x.abs()),
                    "min" => Value::Float(x.min(numbers[1])),
                    "max" => Value::Float(x.max(numbers[1])),
                    _ if x > 0.0 => Value::Float(x.log2()),
                    _ => {
                        let error = Diagnostic::error(
                            "value::log",
                            "the logarithm needs a positive number",
                        );
                        return Err(self.fail(error.at(first.span, format!("this is {x}"))));
                    }
                })
            }
        }
    }

    /// `a + b` of tensors is the layer of that name.
    pub fn tensor_arithmetic(
        &mut self,
        expr: &Expr,
        op: BinaryOp,
        operands: [(&Expr, Value); 2],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let name = match op {
            BinaryOp::Add => "add",
            BinaryOp::Subtract => "sub",
            BinaryOp::Multiply => "mul",
            BinaryOp::Divide => "div",
            _ => "",
        };
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
            let message = format!("`{}` is not defined for tensors", op.symbol());
            return Err(self.fail(Diagnostic::error("value::operator", message).at(expr.span, "")));
        };
        let mut tensors = Vec::new();
        for (operand, value) in operands {
            match value {
                Value::Tensor(id) => tensors.push((operand, id)),
                value => return Err(self.mismatch("a tensor", &value, operand, frame)),
            }
        }
        self.build(layer, expr, tensors, Settings::default(), frame, place)
    }

    fn call_layer(
        &mut self,
        layer: &'static LayerInfo,
        expr: &Expr,
        arguments: &[Argument],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let name = layer.name;
        self.refuse_outside(name, expr.span)?;
        let mut tensors: Vec<Given> = Vec::new();
        let mut values: BTreeMap<&'static str, SettingValue> = BTreeMap::new();
        let mut given: Vec<&'static str> = Vec::new();
        let mut positions = layer.settings.iter();
        let mut failed = false;
        for argument in arguments {
            let setting = match &argument.name {
                Some(word) => {
                    let found = layer.settings.iter().find(|s| s.name == word.name);
                    if found.is_none() {
                        let message = format!("`{name}` has no setting `{}`", word.name);
                        let mut error = Diagnostic::error("call::setting", message);
                        error = error.at(word.span, "");
                        let known: Vec<_> = layer.settings.iter().map(|s| s.name).collect();
                        error.help = suggest(&word.name, &known);
                        self.fail(error);
                        failed = true;
                        continue;
                    }
                    found
                }
                None => None,
            };
            let value = self.setting_value(argument, setting, frame, place);
            let Ok(value) = value else {
                failed = true;
                continue;
            };
            if let (None, Value::Tensor(id)) = (setting, &value) {
                tensors.push((&argument.value, *id));
                continue;
            }
            // Results of a block that returns several tensors come as a list.
            if let (None, Value::List(list)) = (setting, &value)
                && list.items().iter().all(|v| matches!(v, Value::Tensor(_)))
                && !list.items().is_empty()
            {
                for item in list.items() {
                    if let Value::Tensor(id) = item {
                        tensors.push((&argument.value, *id));
                    }
                }
                continue;
            }
            // A name that nothing is bound to, where a tensor has to stand.
            if let (None, Value::Word(word)) = (setting, &value)
                && tensors.len() < layer.tensors.0
            {
                self.unknown(word, argument.value.span, frame);
                failed = true;
                continue;
            }
            let Some(setting) = setting.or_else(|| positions.next()) else {
                let message = format!("`{name}` takes no more values");
                let error = Diagnostic::error("call::count", message);
                self.fail(error.at(argument.value.span, "this is one too many"));
                failed = true;
                continue;
            };
            if given.contains(&setting.name) {
                let message = format!("`{}` is given twice", setting.name);
                let error = Diagnostic::error("call::twice", message);
                self.fail(error.at(argument.value.span, "second time"));
                failed = true;
                continue;
            }
            given.push(setting.name);
            match self.convert(setting, &value, &argument.value, frame) {
                Ok(Some(value)) => {
                    values.insert(setting.name, value);
                }
                Ok(None) => {}
                Err(Reported) => failed = true,
            }
        }
        if failed {
            return Err(Reported);
        }
        let (least, most) = layer.tensors;
        if !(least..=most).contains(&tensors.len()) {
            let wanted = match (least, most) {
                (1, 1) => "one tensor".to_owned(),
                (least, most) if least == most => format!("{least} tensors"),
                (least, most) => format!("{least} to {most} tensors"),
            };
            let message = format!("`{name}` takes {wanted}, not {}", tensors.len());
            let error = Diagnostic::error("call::tensors", message).at(expr.span, "");
            let help = format!("`{name}` is: {}", layer.doc);
            return Err(self.fail(error.help(help)));
        }
        for setting in layer.settings.iter().filter(|s| !given.contains(&s.name)) {
            match setting.default {
                Some("auto") => {}
                Some(_) => {
                    values.extend(setting.default_value().map(|value| (setting.name, value)));
                }
                None => {
                    let message = format!("`{name}` needs `{}`: {}", setting.name, setting.doc);
                    let error = Diagnostic::error("call::missing", message).at(expr.span, "");
                    self.fail(error);
                    failed = true;
                }
            }
        }
        match failed {
            true => Err(Reported),
            false => self.build(layer, expr, tensors, Settings(values), frame, place),
        }
    }

    /// The value of an argument. A bare word that its setting knows means that word, whatever it is bound to.
    pub fn setting_value(
        &mut self,
        argument: &Argument,
        setting: Option<&Setting>,
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        match (&argument.value.kind, setting.map(|s| s.kind)) {
            (ExprKind::Name(word), Some(Kind::Word(words))) if words.contains(&word.as_str()) => {
                Ok(Value::Word(word.clone()))
            }
            _ => self.eval(&argument.value, frame, &place.inner()),
        }
    }

    /// The value of a setting of a layer or a rule; none for `auto`.
    pub fn convert(
        &mut self,
        setting: &Setting,
        value: &Value,
        at: &Expr,
        frame: &Frame,
    ) -> Outcome<Option<SettingValue>> {
        if setting.default == Some("auto") && *value == Value::Word("auto".to_owned()) {
            return Ok(None);
        }
        let wanted = match (setting.kind, value) {
            (Kind::Int { min, max }, Value::Int(value)) if (min..=max).contains(value) => {
                return Ok(Some(SettingValue::Int(*value)));
            }
            (Kind::Int { min, max }, Value::Int(value)) => {
                let message = format!("`{}` must lie between {min} and {max}", setting.name);
                let error = Diagnostic::error("setting::range", message);
                let mut label = format!("this is {value}");
                let counters = self.counters(frame);
                if !counters.is_empty() {
                    label.push_str(&format!(", {counters}"));
                }
                return Err(self.fail(error.at(at.span, label)));
            }
            (Kind::Int { .. }, _) => "a whole number",
            (Kind::Float, value) => match value.as_float() {
                Some(value) => return Ok(Some(SettingValue::Float(value))),
                None => "a number",
            },
            (Kind::Bool, Value::Bool(value)) => return Ok(Some(SettingValue::Bool(*value))),
            (Kind::Bool, _) => "true or false",
            (Kind::Word(words), Value::Word(word)) => {
                if words.contains(&word.as_str()) {
                    return Ok(Some(SettingValue::Word(word.clone())));
                }
                let message = format!("`{}` cannot be `{word}`", setting.name);
                let mut error = Diagnostic::error("setting::word", message).at(at.span, "");
                error.help = suggest(word, words);
                return Err(self.fail(error));
            }
            (Kind::Word(_), _) => "a word",
            (Kind::Ints, Value::List(list)) => {
                let ints = list.items().iter().map(|item| match item {
                    Value::Int(value) => Some(*value),
                    _ => None,
                });
                match ints.collect() {
                    Some(ints) => return Ok(Some(SettingValue::Ints(ints))),
                    None => "a list of whole numbers",
                }
            }
            (Kind::Ints, _) => "a list of whole numbers",
            (Kind::Circuit, _) => {
                let ansatz = self.named_circuit(at, frame)?;
                return Ok(Some(SettingValue::Circuit(ansatz)));
            }
        };
        let wanted = format!("{wanted} for `{}`", setting.name);
        Err(self.mismatch(&wanted, value, at, frame))
    }

    fn build(
        &mut self,
        layer: &'static LayerInfo,
        expr: &Expr,
        tensors: Vec<Given>,
        settings: Settings,
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let inputs: Vec<_> = tensors.iter().map(|(_, id)| *id).collect();
        let path = self.path(frame, place, layer.name);
        let mut builder = Builder {
            graph: &mut self.graph,
            path: path.clone(),
            training: self.training,
        };
        let output = match (layer.build)(&mut builder, &inputs, &settings) {
            Ok(output) => output,
            Err(error) => {
                let error = self.shape_error(layer, expr, &tensors, error, frame);
                return Err(self.fail(error));
            }
        };
        if self.graph.len() > MAX_NODES {
            let message = format!("the network has more than {MAX_NODES} nodes");
            let error = Diagnostic::error("limit::graph", message).at(expr.span, "stopped here");
            return Err(self.stop(error));
        }
        let mut produced = self.graph.inputs(output);
        produced.push(output);
        for id in produced {
            let shape = self.graph.ty(id).shape.iter();
            let elements = shape.copied().try_fold(1usize, usize::checked_mul);
            if elements.is_none_or(|elements| elements > MAX_ELEMENTS) {
                let message = format!("a tensor may have at most {MAX_ELEMENTS} elements");
                let error = Diagnostic::error("limit::tensor", message);
                let label = format!("`{}` would be {}", self.graph.name(id), self.graph.ty(id));
                return Err(self.stop(error.at(expr.span, label)));
            }
        }
        self.made.entry(output).or_insert(expr.span);
        self.layers.push(Layer {
            path,
            function: layer.name,
            span: expr.span,
            inputs,
            output,
        });
        Ok(Value::Tensor(output))
    }

    /// An op's refusal with the tensors named as the user wrote them, and where each was made.
    fn shape_error(
        &self,
        layer: &LayerInfo,
        expr: &Expr,
        tensors: &[Given],
        error: ShapeError,
        frame: &Frame,
    ) -> Diagnostic {
        let written = |given: &Given| {
            let text = self.sources.slice(given.0.span);
            match text.len() <= 40 && !text.contains('\n') {
                true => format!("`{text}`"),
                false => format!("`{}`", self.graph.name(given.1)),
            }
        };
        let at_fault: Vec<_> = match error.inputs.is_empty() {
            true => tensors.iter().collect(),
            false => error
                .inputs
                .iter()
                .filter_map(|&i| tensors.get(i))
                .collect(),
        };
        let names: Vec<_> = at_fault.iter().map(|given| written(given)).collect();
        let message = match layer.name {
            "concat" => format!(
                "cannot concatenate {}: {}",
                list(&names, "and"),
                error.message
            ),
            name => format!(
                "`{name}` cannot take {}: {}",
                list(&names, "and"),
                error.message
            ),
        };
        let mut diagnostic = Diagnostic::error(&format!("shape::{}", layer.name), message);
        let counters = self.counters(frame);
        for (index, (given, id)) in at_fault.iter().enumerate() {
            let mut label = self.graph.ty(*id).to_string();
            if index == 0 && !counters.is_empty() {
                label.push_str(&format!(", {counters}"));
            }
            diagnostic = diagnostic.at(given.span, label);
        }
        if at_fault.is_empty() {
            diagnostic = diagnostic.at(expr.span, counters);
        }
        for (given, id) in at_fault {
            if let Some(&made) = self.made.get(id)
                && (made.file != given.span.file
                    || made.end <= given.span.start
                    || given.span.end <= made.start)
            {
                diagnostic =
                    diagnostic.see(made, format!("{} is made here", written(&(given, *id))));
            }
        }
        diagnostic.help = error.help;
        diagnostic
    }
}

/// Channels of a map or of tokens, height or width of a map.
fn extent(ty: &TensorType, name: &str) -> Option<usize> {
    match (ty.layout, ty.shape.as_slice(), name) {
        (Layout::Plain, &[.., c], "channels") => Some(c),
        (Layout::Image, &[_, c, ..], "channels") => Some(c),
        (Layout::Image, &[_, _, h, _], "height") => Some(h),
        (Layout::Image, &[_, _, _, w], "width") => Some(w),
        _ => None,
    }
}
