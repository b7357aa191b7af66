//! Calls of layers: their tensors and settings, the nodes they add, and the refusals of their ops.

use super::arguments::{Callee, Matched};
use super::state::{Elaborator, Frame, Layer, Outcome, Place};
use super::value::Value;
use crate::diagnostic::{Diagnostic, bail, error, list};
use crate::graph::{Graph, NodeId};
use crate::ops::{Builder, LAYERS, LayerInfo};
use crate::setting::{Setting, Settings};
use crate::syntax::ast::*;
use crate::tensor_type::ShapeError;

/// How many elements a tensor may have.
const MAX_ELEMENTS: usize = 1 << 31;

/// How many nodes the graph of a network may have.
const MAX_NODES: usize = 20_000;

/// A tensor given to a layer, and the expression that names it.
type Given<'e> = (&'e Expr, NodeId);

/// The arguments of a layer, evaluated.
struct Sorted<'e> {
    tensors: Vec<Given<'e>>,
    settings: Vec<(&'e Argument, Value)>,
    result: Outcome<()>,
}

/// The output of a layer or one of its inputs, if it has more elements than a tensor may have.
pub(super) fn too_large(graph: &Graph, output: NodeId) -> Option<NodeId> {
    let mut produced = graph.inputs(output);
    produced.push(output);
    produced.into_iter().find(|&id| {
        let mut shape = graph.ty(id).shape.iter().copied();
        let elements = shape.try_fold(1usize, usize::checked_mul);
        elements.is_none_or(|elements| elements > MAX_ELEMENTS)
    })
}

impl Elaborator<'_> {
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
            bail!(self, "value::operator" at expr.span, "`{}` is not defined for tensors", op.symbol());
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

    /// The value of a call of a layer.
    pub fn call_layer(
        &mut self,
        layer: &'static LayerInfo,
        expr: &Expr,
        arguments: &[Argument],
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        let name = layer.name;
        self.refuse_outside(name, expr.span)?;
        let sorted = self.sort(layer, arguments, frame, place);
        let callee = Callee {
            name,
            declared: layer.settings,
            by_position: true,
            defined: None,
        };
        let matched = self.matched(&callee, sorted.settings);
        let mut values = Settings::default();
        let mut result = sorted.result;
        for (setting, argument, value) in &matched.given {
            match self.convert(setting, value, &argument.value, frame) {
                Ok(Some(value)) => {
                    values.0.insert(setting.name, value);
                }
                Ok(None) => {}
                Err(reported) => result = Err(reported),
            }
        }
        result?;
        let (least, most) = layer.tensors;
        let count = sorted.tensors.len();
        if !(least..=most).contains(&count) {
            let wanted = match (least, most) {
                (1, 1) => "one tensor".to_owned(),
                (least, most) if least == most => format!("{least} tensors"),
                (least, most) => format!("{least} to {most} tensors"),
            };
            bail!(
                self, "call::tensors" at expr.span, "`{name}` takes {wanted}, not {count}";
                help: "`{name}` is: {}", layer.doc
            );
        }
        self.complete(&callee, &matched, expr.span)?;
        let values = with_defaults(values, &matched, layer.settings);
        self.build(layer, expr, sorted.tensors, values, frame, place)
    }

    /// Evaluates the arguments of a layer, and tells tensors from settings.
    fn sort<'e>(
        &mut self,
        layer: &LayerInfo,
        arguments: &'e [Argument],
        frame: &Frame,
        place: &Place,
    ) -> Sorted<'e> {
        let mut sorted = Sorted {
            tensors: Vec::new(),
            settings: Vec::new(),
            result: Ok(()),
        };
        for argument in arguments {
            let of = |word: &Ident| layer.settings.iter().find(|s| s.name == word.name);
            let setting = argument.name.as_ref().map(of);
            let value = match setting {
                // A name that is not declared; the matcher reports it.
                Some(None) => Ok(Value::Poison),
                setting => self.argument(argument, setting.flatten(), frame, place),
            };
            let value = match value {
                Ok(value) => value,
                Err(reported) => {
                    sorted.result = Err(reported);
                    continue;
                }
            };
            match &value {
                _ if setting.is_some() => sorted.settings.push((argument, value)),
                Value::Tensor(id) => sorted.tensors.push((&argument.value, *id)),
                // The results of a block that returns several tensors are a list.
                Value::List(list) if list.tensors().is_some_and(|ids| !ids.is_empty()) => {
                    let ids = list.tensors().unwrap_or_default();
                    let named = ids.into_iter().map(|id| (&argument.value, id));
                    sorted.tensors.extend(named);
                }
                // A name that nothing is bound to, where a tensor is needed.
                Value::Word(word) if sorted.tensors.len() < layer.tensors.0 => {
                    sorted.result = Err(self.unknown(word, argument.value.span, frame));
                }
                _ => sorted.settings.push((argument, value)),
            }
        }
        sorted
    }

    /// Adds a layer to the network.
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
            graph: &mut self.network.graph,
            path: path.clone(),
            training: self.network.training,
        };
        let output = match (layer.build)(&mut builder, &inputs, &settings) {
            Ok(output) => output,
            Err(error) => {
                let error = self.shape_error(layer, expr, &tensors, error, frame);
                return Err(self.fail(error));
            }
        };
        self.refuse_large(expr, output)?;
        self.network.made.entry(output).or_insert(expr.span);
        self.network.layers.push(Layer {
            path,
            function: layer,
            inputs,
            settings,
            output,
        });
        Ok(Value::Tensor(output))
    }

    /// Stops where the network or a tensor of its newest layer is too large.
    fn refuse_large(&mut self, expr: &Expr, output: NodeId) -> Outcome<()> {
        if self.network.graph.len() > MAX_NODES {
            return Err(self.stop(error!(
                "limit::graph" at expr.span, "the network has more than {MAX_NODES} nodes"; here: "stopped here"
            )));
        }
        if let Some(id) = too_large(&self.network.graph, output) {
            let (name, ty) = (self.network.graph.name(id), self.network.graph.ty(id));
            return Err(self.stop(error!(
                "limit::tensor" at expr.span, "a tensor may have at most {MAX_ELEMENTS} elements";
                here: "`{name}` would be {ty}"
            )));
        }
        Ok(())
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
            let text = self.texts.sources.slice(given.0.span);
            match text.len() <= 40 && !text.contains('\n') {
                true => format!("`{text}`"),
                false => format!("`{}`", self.network.graph.name(given.1)),
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
        let counters = frame.counters();
        for (index, (given, id)) in at_fault.iter().enumerate() {
            let mut label = self.network.graph.ty(*id).to_string();
            if index == 0 && !counters.is_empty() {
                label.push_str(&format!(", {counters}"));
            }
            diagnostic = diagnostic.at(given.span, label);
        }
        if at_fault.is_empty() {
            diagnostic = diagnostic.at(expr.span, counters);
        }
        for (given, id) in at_fault {
            if let Some(&made) = self.network.made.get(id)
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

/// The settings that were given to a layer, and the defaults of the others. `auto` that was given stays absent.
fn with_defaults(
    mut values: Settings,
    matched: &Matched<Setting, Value>,
    settings: &[Setting],
) -> Settings {
    for setting in settings.iter().filter(|s| !matched.has(s.name)) {
        let default = setting.default_value();
        values.0.extend(default.map(|value| (setting.name, value)));
    }
    values
}
