//! Names to their values, and the messages for unknown names and values of the wrong kind.

use std::collections::BTreeMap;

use super::project::{Module, name_of};
use super::state::{Elaborator, Frame, Local, Outcome, Place, Reported};
use super::value::Value;
use crate::diagnostic::{bail, error, list, nearest, suggest};
use crate::ops::LAYERS;
use crate::syntax::ast::*;
use crate::syntax::span::Span;

impl<'a> Elaborator<'a> {
    /// The value of a name; the bare word where nothing is bound to it.
    pub fn name(&mut self, name: &str, span: Span, frame: &Frame) -> Outcome<Value> {
        match frame.locals.get(name) {
            Some(Local::Plain(value)) => return Ok(value.clone()),
            Some(Local::Family(family)) => {
                let keys = family_keys(name, family);
                bail!(self, "name::index" at span, "`{name}` needs an index"; help: "bound are {keys}");
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

    /// `b.value` of an import.
    pub fn member(&mut self, of: &Expr, word: &Ident, frame: &Frame) -> Outcome<Value> {
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
            bail!(
                self, "name::member" at of.span, "nothing has a part called `.{}` here", word.name;
                here: "not an import";
                help: "only imported files have parts: `b.double(...)`"
            );
        };
        if let Some(&index) = frame.module.imports.get(alias) {
            return Ok(&self.texts.modules[index]);
        }
        let known: Vec<_> = frame.module.imports.keys().map(String::as_str).collect();
        let help = suggest(alias, &known);
        let help =
            help.unwrap_or_else(|| format!("write `import \"file.hqc\" as {alias}` at the top"));
        bail!(self, "name::member" at of.span, "no import is called `{alias}`"; help: "{help}");
    }

    /// Reports that a module has no item called `word`.
    pub fn absent(
        &mut self,
        module: &Module,
        word: &Ident,
        what: &str,
        of: fn(&Item) -> Option<&Ident>,
    ) -> Reported {
        let file = self.texts.sources.name(module.file);
        let name = &word.name;
        let help = suggest(name, &module.names(of)).or_else(|| {
            let mut items = module.tree.items.iter().filter_map(name_of);
            let found = items.any(|ident| ident.name == *name);
            found.then(|| format!("there is a `{name}`, but it is no {what}"))
        });
        self.fail(error!(
            "name::unknown" at word.span, "`{file}` has no {what} called `{name}`"; suggest: help
        ))
    }

    /// `e[i]` of a family of names, or of a list.
    pub fn index(
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
            bail!(
                self, "name::index" at expr.span, "`{written}` is not bound";
                here: "{}", frame.counters();
                help: "bound are {}", family_keys(name, family)
            );
        }
        let value = self.eval(of, frame, place)?;
        let Value::List(list) = &value else {
            return Err(self.mismatch("a list", &value, of, frame));
        };
        let at = self.int(index, frame)?;
        let item = usize::try_from(at).ok().and_then(|at| list.items().get(at));
        match item {
            Some(item) => Ok(item.clone()),
            None => bail!(
                self, "value::index" at index.span, "there is no value {at} in a list of {}", list.items().len();
                help: "the first value is number 0"
            ),
        }
    }

    /// Reports a value of the wrong kind; a word there is a name that nothing is bound to.
    pub fn mismatch(&mut self, wanted: &str, found: &Value, at: &Expr, frame: &Frame) -> Reported {
        if let Value::Word(word) = found {
            return self.unknown(word, at.span, frame);
        }
        let shown = match found {
            Value::Tensor(id) => format!("a tensor {}", self.network.graph.ty(*id)),
            Value::List(_) => "a list".to_owned(),
            found => format!("{} {}", found.kind(), found.print()),
        };
        self.fail(error!("value::kind" at at.span, "expected {wanted}"; here: "this is {shown}"))
    }

    /// Reports a name that nothing is bound to.
    pub fn unknown(&mut self, name: &str, span: Span, frame: &Frame) -> Reported {
        let locals = frame.locals.keys().map(String::as_str);
        let lets = frame.module.lets.keys().map(String::as_str);
        let known: Vec<_> = locals.chain(lets).collect();
        let callable = frame.module.block(name).is_some() || LAYERS.iter().any(|l| l.name == name);
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if callable => Some(format!("`{name}` is a layer: call it, `{name}(...)`")),
            None if frame.model && self.network.declared.input.is_none() => Some(format!(
                "begin the model with its input: `input {name}: [1, H, W]`"
            )),
            None if frame.model || !frame.locals.is_empty() => suggest(name, &known),
            None => None,
        };
        self.fail(error!(
            "name::unknown" at span, "nothing is called `{name}`"; here: "{}", frame.counters(); suggest: help
        ))
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
