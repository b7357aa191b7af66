//! Expressions to values.

use super::state::{Elaborator, Frame, Outcome, Place, Reported};
use super::value::{List, Value};
use crate::diagnostic::bail;
use crate::syntax::ast::*;
use crate::syntax::span::Span;

/// How many values a range may hold.
pub const MAX_REPEAT: i64 = 10_000;

/// How many items of a list are copied or compared in the time of one step, about.
const ITEMS_A_STEP: usize = 16;

impl Elaborator<'_> {
    /// The value of a setting, outside of any network.
    pub fn setting(&mut self, expr: &Expr, frame: &Frame) -> Outcome<Value> {
        let place = Place::default();
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
        self.charge(values.len() / ITEMS_A_STEP, span)?;
        match List::new(values) {
            Some(list) => Ok(Value::List(list)),
            None => bail!(self, "limit::list" at span, "this list is too large"),
        }
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
            if let Value::List(list) = &a {
                self.charge(list.size() / ITEMS_A_STEP, expr.span)?;
            }
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
            bail!(self, "value::division" at right.span, "division by zero"; here: "this is 0");
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

    /// Reports a value that is too large.
    pub fn overflow(&mut self, span: Span) -> Outcome<Value> {
        bail!(self, "value::overflow" at span, "this value is too large");
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
            bail!(
                self, "limit::repeat" at expr.span, "a range may hold at most {MAX_REPEAT} values";
                here: "{from} and {to} are too far apart"
            );
        }
        Ok(match (inclusive, from <= to) {
            (true, true) => (from..=to).collect(),
            (true, false) => (to..=from).rev().collect(),
            (false, _) => (from..to).collect(),
        })
    }
}
