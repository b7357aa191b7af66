//! Functions on numbers, lists and the sizes of tensors.

use super::state::{Elaborator, Frame, Outcome};
use super::value::Value;
use crate::diagnostic::{Diagnostic, bail};
use crate::syntax::ast::{Argument, Expr};
use crate::tensor_type::{Layout, TensorType};

/// Every function with the number of its arguments.
pub const FUNCTIONS: [(&str, usize); 11] = [
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

impl Elaborator<'_> {
    /// The value of a call of a function.
    pub fn call_function(
        &mut self,
        name: &str,
        count: usize,
        expr: &Expr,
        arguments: &[Argument],
        frame: &Frame,
    ) -> Outcome<Value> {
        if arguments.len() != count || arguments.iter().any(|argument| argument.name.is_some()) {
            let plural = if count == 1 { "" } else { "s" };
            bail!(self, "call::count" at expr.span, "`{name}` takes {count} value{plural} by position");
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.setting(&argument.value, frame)?);
        }
        let first = &arguments[0].value;
        match (name, values.as_slice()) {
            ("env", [Value::Str(variable)]) => Ok(self.variable(variable, expr)),
            ("env", [value]) => Err(self.mismatch("a quoted name", value, first, frame)),
            ("channels" | "height" | "width", [Value::Tensor(id)]) => {
                let ty = self.network.graph.ty(*id);
                match extent(ty, name) {
                    Some(extent) => Ok(Value::Int(extent as i64)),
                    None => bail!(
                        self, "value::extent" at first.span, "{ty} has no {name}";
                        here: "no feature map [N, C, H, W]";
                        help: "tokens [N, T, C] have `channels` alone"
                    ),
                }
            }
            ("channels" | "height" | "width", [value]) => {
                Err(self.mismatch("a tensor", value, first, frame))
            }
            ("len", [Value::List(list)]) => Ok(Value::Int(list.items().len() as i64)),
            ("len", [value]) => Err(self.mismatch("a list", value, first, frame)),
            ("abs", [Value::Int(value)]) => match value.checked_abs() {
                Some(value) => Ok(Value::Int(value)),
                None => self.overflow(expr.span),
            },
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
                self.of_numbers(name, &numbers, first)
            }
        }
    }

    /// The value of an environment variable, or the word `none` with a warning.
    fn variable(&mut self, variable: &str, expr: &Expr) -> Value {
        if let Some(text) = self.texts.world.env(variable) {
            return Value::Str(text.into());
        }
        let message = format!("the environment variable `{variable}` is not set");
        self.warn(Diagnostic::warning("env::unset", message).at(expr.span, ""));
        Value::Word("none".to_owned())
    }

    /// The value of a function on real numbers; `first` is its first argument.
    fn of_numbers(&mut self, name: &str, numbers: &[f64], first: &Expr) -> Outcome<Value> {
        let x = numbers[0];
        Ok(match name {
            "floor" | "ceil" => {
                let rounded = if name == "floor" { x.floor() } else { x.ceil() };
                if rounded.abs() >= i64::MAX as f64 {
                    return self.overflow(first.span);
                }
                Value::Int(rounded as i64)
            }
            "abs" => Value::Float(x.abs()),
            "min" => Value::Float(x.min(numbers[1])),
            "max" => Value::Float(x.max(numbers[1])),
            _ if x > 0.0 => Value::Float(x.log2()),
            _ => bail!(
                self, "value::log" at first.span, "the logarithm needs a positive number"; here: "this is {x}"
            ),
        })
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
