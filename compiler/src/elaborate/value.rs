//! Values of settings and tensors during elaboration.

use std::rc::Rc;

use crate::graph::NodeId;
use crate::syntax::print::{print_float, quote};

/// How many values a list may hold, those of lists in it included.
const MAX_LIST: usize = 10_000;

/// How deep lists may nest.
const MAX_LIST_DEPTH: usize = 8;

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A quoted text.
    Str(Rc<str>),
    /// A bare word: a name that nothing in scope is bound to, such as `lpp`.
    Word(String),
    /// A list.
    List(List),
    /// A range of whole numbers.
    Range {
        /// The first value.
        from: i64,
        /// The last one, or one past it.
        to: i64,
        /// Whether `to` belongs to it.
        inclusive: bool,
    },
    /// A tensor of the network.
    Tensor(NodeId),
    /// The result of something that failed and was reported.
    Poison,
}

/// A list that knows how large it is.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    items: Rc<[Value]>,
    size: usize,
    depth: usize,
}

impl List {
    /// A list of values; none where it would be too large.
    pub fn new(items: Vec<Value>) -> Option<List> {
        let inner = |of: fn(&List) -> usize| {
            items.iter().filter_map(move |item| match item {
                Value::List(list) => Some(of(list)),
                _ => None,
            })
        };
        let size = items.len() + inner(|list| list.size).sum::<usize>();
        let depth = 1 + inner(|list| list.depth).max().unwrap_or(0);
        let fits = size <= MAX_LIST && depth <= MAX_LIST_DEPTH;
        fits.then(|| List {
            items: items.into(),
            size,
            depth,
        })
    }

    /// The values.
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// How many values it holds, those of lists in it included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The tensors of a list that holds nothing else.
    pub fn tensors(&self) -> Option<Vec<NodeId>> {
        let ids = self.items.iter().map(|item| match item {
            Value::Tensor(id) => Some(*id),
            _ => None,
        });
        ids.collect()
    }
}

impl Value {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Str(_) => "a text",
            Value::Word(_) => "a word",
            Value::List(_) => "a list",
            Value::Range { .. } => "a range",
            Value::Tensor(_) => "a tensor",
            Value::Poison => "unknown",
        }
    }

    /// The value in the language's syntax; tensors have none.
    pub fn print(&self) -> String {
        match self {
            Value::Int(value) => value.to_string(),
            Value::Float(value) => print_float(*value),
            Value::Bool(value) => value.to_string(),
            Value::Str(text) => quote(text),
            Value::Word(word) => word.clone(),
            Value::List(list) => {
                let items: Vec<_> = list.items().iter().map(Value::print).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Range {
                from,
                to,
                inclusive,
            } => match inclusive {
                true => format!("{from} to {to}"),
                false => format!("{from}..{to}"),
            },
            Value::Tensor(_) => "tensor".to_owned(),
            Value::Poison => "none".to_owned(),
        }
    }

    /// The number behind a whole or real number.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }
}
