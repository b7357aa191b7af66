//! Calls: finds out whether a block, a layer or a function is called, and runs blocks and models.

use std::collections::BTreeMap;

use super::arguments::Callee;
use super::functions::FUNCTIONS;
use super::project::Module;
use super::state::{Active, Elaborator, Frame, Local, Outcome, Place, Reported};
use super::value::Value;
use crate::diagnostic::{bail, error, suggest};
use crate::ops::LAYERS;
use crate::syntax::ast::*;
use crate::syntax::span::Span;

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
            _ => bail!(
                self, "call::callee" at callee.span, "this cannot be called"; here: "neither a layer nor a block"
            ),
        }
    }

    fn no_such_layer(&mut self, name: &str, span: Span, frame: &Frame) -> Reported {
        let blocks = frame.module.names(|item| match item {
            Item::Block(block) => Some(&block.name),
            _ => None,
        });
        let layers = LAYERS.iter().map(|layer| layer.name);
        let known: Vec<_> = blocks.into_iter().chain(layers).collect();
        let help = match frame.module.model(name) {
            Some(_) => Some(format!(
                "`{name}` is a model; only blocks and layers can be called in a network"
            )),
            None => suggest(name, &known),
        };
        self.fail(error!(
            "name::unknown" at span, "there is no layer or block called `{name}`"; suggest: help
        ))
    }

    /// Refuses a call of `name`, which makes layers, outside of a network.
    pub fn refuse_outside(&mut self, name: &str, span: Span) -> Outcome<()> {
        if self.network.open {
            return Ok(());
        }
        bail!(
            self, "call::outside" at span, "`{name}` makes a layer, and there is no network here";
            help: "layers are called in a `model` or a `block`"
        );
    }

    /// The path of a layer or a block that is called by `name`.
    pub fn path(&mut self, frame: &Frame, place: &Place, name: &str) -> String {
        let wanted = match &place.exact {
            Some(path) => return path.clone(),
            None if place.base.is_empty() => frame.join(name),
            None => format!("{}.{name}", place.base),
        };
        self.network.unique(wanted)
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
        if self.network.calls.iter().any(is_open) {
            return Err(self.stop(error!(
                "limit::recursion" at expr.span, "the block `{name}` calls itself";
                help: "repeat with `repeat i in 1 to n {{ ... }}`"
            )));
        }
        let given = self.bind(block, expr.span, arguments, frame, &place.inner())?;
        let mut inner = Frame::of(module);
        inner.prefix = self.path(frame, place, name);
        self.network.calls.push(Active {
            file: module.file,
            name: name.clone(),
            site: expr.span,
        });
        let value = self.run_block(block, given, &mut inner);
        self.network.calls.pop();
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
            None => bail!(
                self, "block::return" at block.name.span, "the block `{}` returns nothing", block.name.name;
                here: "no `return` is reached";
                help: "end it with `return y`"
            ),
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
        let callee = Callee {
            name: &function.name.name,
            declared: &function.parameters,
            by_position: true,
            defined: Some(function.name.span),
        };
        let plain = arguments.iter().map(|argument| (argument, ()));
        let matched = self.matched(&callee, plain);
        let mut given = BTreeMap::new();
        let mut result = Ok(());
        for (parameter, argument, ()) in &matched.given {
            match self.eval(&argument.value, frame, place) {
                Ok(value) => {
                    given.insert(parameter.name.name.clone(), value);
                }
                Err(reported) => result = Err(reported),
            }
        }
        result?;
        self.complete(&callee, &matched, span)?;
        Ok(given)
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
}
