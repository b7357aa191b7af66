//! Syntax tree to text: the one canonical spelling, which `hqcc fmt` writes.
//!
//! A comment stays where it was: at the end of its line, or on a line of its own above what
//! follows. One inside an expression moves above the statement. Single empty lines stay.

use std::sync::Arc;

use super::ast::*;
use super::parse::{is_path, parse};
use super::span::Sources;
use crate::diagnostic::Diagnostic;

/// Lines longer than this are broken at their arguments.
const WIDTH: usize = 100;

/// The canonical text of a tree, without comments and empty lines inside items.
pub fn print(tree: &File) -> String {
    let mut printer = Printer::new(&[], "");
    printer.file(tree);
    printer.out
}

/// The canonical text of a source, comments kept. `name` is what messages call it.
///
/// # Errors
/// What the parser finds; a broken file is left alone.
pub fn format(name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (tree, errors) = parse(&sources, file);
    if !errors.is_empty() {
        let sources = Arc::new(sources);
        let errors = errors.into_iter().map(|error| error.within(&sources));
        return Err(errors.collect());
    }
    let mut printer = Printer::new(&tree.comments, text);
    printer.file(&tree);
    Ok(printer.out)
}

/// An expression in canonical form, on one line.
pub fn print_expression(expr: &Expr) -> String {
    flat(expr, 0)
}

struct Printer<'a> {
    out: String,
    indent: usize,
    /// Comments not yet printed.
    comments: std::slice::Iter<'a, Comment>,
    text: &'a str,
    /// The end of the last printed part in the source; none at the start of a body.
    last: Option<u32>,
    /// Whether an empty line must come next.
    blank: bool,
}

impl<'a> Printer<'a> {
    fn new(comments: &'a [Comment], text: &'a str) -> Printer<'a> {
        Printer {
            out: String::new(),
            indent: 0,
            comments: comments.iter(),
            text,
            last: None,
            blank: false,
        }
    }

    fn file(&mut self, tree: &File) {
        let mut previous: Option<&Item> = None;
        for (index, item) in tree.items.iter().enumerate() {
            let together = matches!(
                (previous, item),
                (None, _)
                    | (Some(Item::Import(_)), Item::Import(_))
                    | (Some(Item::Let(_)), Item::Let(_))
            );
            self.blank |= !together;
            let next = tree.items.get(index + 1).map(|item| item.span().start);
            self.item(item);
            self.trailing(item.span().end, next);
            previous = Some(item);
        }
        self.leading(u32::MAX);
    }

    /// Prints a line, after the empty line that it had above it.
    fn line(&mut self, start: u32, text: &str) {
        let kept = self.last.is_some_and(|last| {
            let between = self.text.get(last as usize..start as usize);
            between.is_some_and(|between| between.matches('\n').count() > 1)
        });
        if (self.blank || kept) && !self.out.is_empty() && !self.out.ends_with("{\n") {
            self.out.push('\n');
        }
        self.blank = false;
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Prints the comments before `end`, each on a line of its own.
    fn leading(&mut self, end: u32) {
        while let Some(comment) = self.comments.as_slice().first() {
            if comment.span.start >= end {
                break;
            }
            self.comments.next();
            self.line(comment.span.start, &format!("#{}", comment.text));
            self.last = Some(comment.span.end);
        }
    }

    /// Prints the comment after `end`, if there is one on the same line.
    fn trailing(&mut self, end: u32, next: Option<u32>) {
        self.last = Some(end);
        let Some(comment) = self.comments.as_slice().first() else {
            return;
        };
        let before = self.text.get(end as usize..comment.span.start as usize);
        let same_line = before.is_some_and(|before| !before.contains('\n'));
        if !same_line || next.is_some_and(|next| next < comment.span.start) {
            return;
        }
        self.comments.next();
        if self.out.ends_with('\n') {
            self.out.pop();
        }
        self.out.push_str(&format!("  #{}\n", comment.text));
        self.last = Some(comment.span.end);
    }

    /// Prints a line that holds no body; comments within it move above it.
    fn simple(&mut self, span: super::span::Span, text: &str) {
        self.leading(span.end);
        self.line(span.start, text);
    }

    /// Prints `head {`, the inside, `}`.
    fn braces(&mut self, start: u32, end: u32, head: &str, inside: impl FnOnce(&mut Self)) {
        let length = self.out.len();
        self.line(start, &format!("{head}{{"));
        self.body(end, inside);
        // An empty body closes on the line that opens it.
        if self.out[length..].ends_with("{\n") {
            self.out.pop();
            self.out.push_str("}\n");
        } else {
            self.close();
        }
    }

    fn body(&mut self, end: u32, inside: impl FnOnce(&mut Self)) {
        self.indent += 1;
        self.last = None;
        inside(self);
        self.leading(end);
        self.indent -= 1;
    }

    fn close(&mut self) {
        self.blank = false;
        self.last = None;
        self.line(0, "}");
    }

    fn item(&mut self, item: &Item) {
        let span = item.span();
        match item {
            Item::Import(import) => {
                let path = quote(&import.path);
                self.simple(span, &format!("import {path} as {}", import.name.name));
            }
            Item::Let(item) => {
                let text = self.assigned(&format!("let {} = ", item.name.name), &item.value);
                self.simple(span, &text);
            }
            Item::Block(function) => self.function("block", function, true),
            Item::Model(function) => {
                self.function("model", function, !function.parameters.is_empty());
            }
            Item::Circuit(circuit) => {
                self.leading(circuit.name.span.end);
                let head = format!("circuit {} ", circuit.name.name);
                self.braces(span.start, span.end, &head, |p| p.steps(&circuit.steps));
            }
            Item::Rewrite(rewrite) => {
                self.leading(rewrite.name.span.end);
                let head = format!("rewrite {} ", rewrite.name.name);
                self.braces(span.start, span.end, &head, |p| {
                    for (index, rule) in rewrite.rules.iter().enumerate() {
                        let next = rewrite.rules.get(index + 1).map(|rule| rule.span.start);
                        let method = flat_method(&rule.method);
                        let text = match rule.method.name.name.as_str() {
                            "freeze" => format!("{method} {}", rule.path.name),
                            _ => format!("{} => {method}", rule.path.name),
                        };
                        p.simple(rule.span, &text);
                        p.trailing(rule.span.end, next);
                    }
                });
            }
            Item::Names(names) => {
                self.leading(names.name.span.end);
                let settings = match names.settings.is_empty() {
                    true => String::new(),
                    false => format!("({})", flat_arguments(&names.settings)),
                };
                let head = format!("names {}{settings} ", names.name.name);
                self.braces(span.start, span.end, &head, |p| {
                    for (index, rule) in names.rules.iter().enumerate() {
                        let next = names.rules.get(index + 1).map(|rule| rule.span.start);
                        p.simple(rule.span, &flat_name_rule(rule));
                        p.trailing(rule.span.end, next);
                    }
                });
            }
            Item::Data(data) => {
                self.leading(data.source.span.end);
                let head = format!("data {} = {} ", data.name.name, data.source.name);
                self.braces(span.start, span.end, &head, |p| p.entries(&data.entries));
            }
            Item::Section(section) => {
                self.leading(section.kind.span.end);
                let head = format!("{} ", section.kind.name);
                self.braces(span.start, span.end, &head, |p| p.entries(&section.entries));
            }
        }
    }

    fn function(&mut self, word: &str, function: &Function, parentheses: bool) {
        let parameters: Vec<_> = function
            .parameters
            .iter()
            .map(|parameter| match &parameter.default {
                Some(default) => format!("{} = {}", parameter.name.name, flat(default, 0)),
                None => parameter.name.name.clone(),
            })
            .collect();
        let name = &function.name.name;
        let mut head = match parentheses {
            true => format!("{word} {name}({}) ", parameters.join(", ")),
            false => format!("{word} {name} "),
        };
        if head.chars().count() >= WIDTH && !parameters.is_empty() {
            head = format!("{word} {name}(\n  {},\n) ", parameters.join(",\n  "));
        }
        self.leading(function.body.span.start);
        let span = function.span;
        self.braces(span.start, span.end, &head, |p| {
            p.statements(&function.body.statements);
        });
    }

    fn steps(&mut self, steps: &[CircuitStep]) {
        for (index, step) in steps.iter().enumerate() {
            let next = steps.get(index + 1).map(|step| step.span().start);
            match step {
                CircuitStep::Gate(gate) => self.simple(gate.span, &flat_method(gate)),
                CircuitStep::Repeat { count, steps, span } => {
                    self.leading(count.span.end);
                    let head = format!("repeat {} ", flat(count, 0));
                    self.braces(span.start, span.end, &head, |p| p.steps(steps));
                }
            }
            self.trailing(step.span().end, next);
        }
    }

    fn entries(&mut self, entries: &[Entry]) {
        for (index, entry) in entries.iter().enumerate() {
            let next = entries.get(index + 1).map(|entry| entry.span.start);
            let words: Vec<_> = entry.key.iter().map(|word| word.name.as_str()).collect();
            let text = self.assigned(&format!("{} = ", words.join(".")), &entry.value);
            self.simple(entry.span, &text);
            self.trailing(entry.span.end, next);
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for (index, statement) in statements.iter().enumerate() {
            let next = statements.get(index + 1);
            self.statement(statement);
            self.trailing(statement.span.end, next.map(|next| next.span.start));
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let mut start = statement.span.start;
        for annotation in &statement.annotations {
            self.simple(annotation.span, &format!("@{}", flat_method(annotation)));
            self.trailing(annotation.span.end, None);
            // What follows stays directly below.
            self.last = None;
            start = annotation.span.end;
        }
        let end = statement.span.end;
        match &statement.kind {
            StatementKind::Input {
                name,
                shape,
                conditions,
            } => {
                let mut text = format!("input {}: [{}]", name.name, flat_all(shape));
                if !conditions.is_empty() {
                    text.push_str(&format!(" where {}", flat_all(conditions)));
                }
                self.leading(end);
                self.line(start, &text);
            }
            StatementKind::Output(values) => {
                self.leading(end);
                self.line(start, &format!("output {}", flat_all(values)));
            }
            StatementKind::Return(values) => {
                let text = match values.as_slice() {
                    [value] => self.assigned("return ", value),
                    values => format!("return {}", flat_all(values)),
                };
                self.leading(end);
                self.line(start, &text);
            }
            StatementKind::Repeat {
                counter,
                over,
                body,
            } => {
                self.leading(body.span.start);
                let head = format!("repeat {} in {} ", counter.name, flat(over, 0));
                self.braces(start, body.span.end, &head, |p| {
                    p.statements(&body.statements);
                });
            }
            StatementKind::If {
                branches,
                otherwise,
            } => self.choice(start, branches, otherwise.as_ref()),
            StatementKind::Assign { targets, value } => {
                let targets: Vec<_> = targets.iter().map(flat_target).collect();
                let text = self.assigned(&format!("{} = ", targets.join(", ")), value);
                self.leading(end);
                self.line(start, &text);
            }
        }
    }

    fn choice(&mut self, start: u32, branches: &[(Expr, Body)], otherwise: Option<&Body>) {
        let mut bodies: Vec<(String, &Body)> = Vec::new();
        for (condition, body) in branches {
            bodies.push((format!("if {} ", flat(condition, 0)), body));
        }
        bodies.extend(otherwise.map(|body| (String::new(), body)));
        for (index, (head, body)) in bodies.iter().enumerate() {
            if index == 0 {
                self.leading(body.span.start);
                self.line(start, &format!("{head}{{"));
            } else {
                self.blank = false;
                self.last = None;
                self.line(start, &format!("}} else {head}{{"));
            }
            self.body(body.span.end, |p| p.statements(&body.statements));
        }
        match self.out.ends_with("{\n") && bodies.len() == 1 {
            true => {
                self.out.pop();
                self.out.push_str("}\n");
            }
            false => self.close(),
        }
    }

    /// `head` and a value, broken at its arguments where one line does not hold it.
    fn assigned(&self, head: &str, value: &Expr) -> String {
        let text = format!("{head}{}", flat(value, 0));
        if self.indent * 2 + text.chars().count() <= WIDTH {
            return text;
        }
        format!("{head}{}", broken(value, self.indent))
    }
}

/// A call or a list with each argument on a line of its own; anything else on one line.
fn broken(expr: &Expr, indent: usize) -> String {
    let inner = "  ".repeat(indent + 1);
    let (head, parts, end) = match &expr.kind {
        ExprKind::Call(callee, arguments) if !arguments.is_empty() => {
            let parts = arguments.iter().map(|argument| {
                let name = argument.name.as_ref();
                let name = name.map_or(String::new(), |name| format!("{} = ", name.name));
                (name, &argument.value)
            });
            (
                format!("{}(", flat(callee, POSTFIX)),
                parts.collect::<Vec<_>>(),
                ")",
            )
        }
        ExprKind::List(values) if !values.is_empty() => {
            let parts = values.iter().map(|value| (String::new(), value));
            ("[".to_owned(), parts.collect(), "]")
        }
        _ => return flat(expr, 0),
    };
    let mut text = head;
    for (name, value) in parts {
        let line = format!("{inner}{name}{}", flat(value, 0));
        let line = match line.chars().count() < WIDTH {
            true => line,
            false => format!("{inner}{name}{}", broken(value, indent + 1)),
        };
        text.push_str(&format!("\n{line},"));
    }
    text.push_str(&format!("\n{}{end}", "  ".repeat(indent)));
    text
}

/// Binds tighter than any operator.
const POSTFIX: u8 = 9;

/// An expression on one line, in parentheses if it binds less tightly than `least`.
fn flat(expr: &Expr, least: u8) -> String {
    let (text, precedence) = match &expr.kind {
        ExprKind::Int(value) => (value.to_string(), POSTFIX),
        ExprKind::Float(value) => (print_float(*value), POSTFIX),
        ExprKind::Bool(value) => (value.to_string(), POSTFIX),
        ExprKind::Str(value) => (quote(value), POSTFIX),
        ExprKind::Name(name) => (name.clone(), POSTFIX),
        ExprKind::Member(value, word) => {
            (format!("{}.{}", flat(value, POSTFIX), word.name), POSTFIX)
        }
        ExprKind::Index(value, index) => {
            let text = format!("{}[{}]", flat(value, POSTFIX), flat(index, 0));
            (text, POSTFIX)
        }
        ExprKind::Call(callee, arguments) => {
            let arguments = flat_arguments(arguments);
            (format!("{}({arguments})", flat(callee, POSTFIX)), POSTFIX)
        }
        ExprKind::List(values) => (format!("[{}]", flat_all(values)), POSTFIX),
        ExprKind::Unary(op, value) => {
            let precedence = op.precedence();
            let word = match op {
                UnaryOp::Negate => "-",
                UnaryOp::Not => "not ",
            };
            (format!("{word}{}", flat(value, precedence)), precedence)
        }
        ExprKind::Binary(op, left, right) => {
            let precedence = op.precedence();
            let comparison = precedence == BinaryOp::Equal.precedence();
            let (below, above) = match op {
                BinaryOp::Power => (precedence + 1, precedence),
                _ if comparison => (precedence + 1, precedence + 1),
                _ => (precedence, precedence + 1),
            };
            let (left, right) = (flat(left, below), flat(right, above));
            let text = match op {
                BinaryOp::Power => format!("{left}^{right}"),
                op => format!("{left} {} {right}", op.symbol()),
            };
            (text, precedence)
        }
        ExprKind::Range {
            from,
            to,
            inclusive,
        } => {
            let sign = if *inclusive { " to " } else { ".." };
            (format!("{}{sign}{}", flat(from, 1), flat(to, 1)), 0)
        }
        ExprKind::If {
            branches,
            otherwise,
        } => {
            let mut text = String::new();
            for (condition, value) in branches {
                let (condition, value) = (flat(condition, 0), flat(value, 0));
                text.push_str(&format!("if {condition} {{ {value} }} else "));
            }
            text.push_str(&format!("{{ {} }}", flat(otherwise, 0)));
            (text, POSTFIX)
        }
    };
    match precedence < least {
        true => format!("({text})"),
        false => text,
    }
}

fn flat_all(values: &[Expr]) -> String {
    let values: Vec<_> = values.iter().map(|value| flat(value, 0)).collect();
    values.join(", ")
}

fn flat_arguments(arguments: &[Argument]) -> String {
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| match &argument.name {
            Some(name) => format!("{} = {}", name.name, flat(&argument.value, 0)),
            None => flat(&argument.value, 0),
        })
        .collect();
    arguments.join(", ")
}

fn flat_target(target: &Target) -> String {
    let mut text = target.name.name.clone();
    for index in &target.indices {
        text.push_str(&format!("[{}]", flat(index, 0)));
    }
    text
}

fn flat_name_rule(rule: &NameRule) -> String {
    let foreign = match is_path(&rule.foreign.name) {
        true => rule.foreign.name.clone(),
        false => quote(&rule.foreign.name),
    };
    let change = match &rule.change {
        Some(change) => format!(" as {}", flat_method(change)),
        None => String::new(),
    };
    format!("{foreign} => {}{change}", rule.here.name)
}

/// `freeze` and `unused` go without empty parentheses.
fn flat_method(method: &Method) -> String {
    let name = &method.name.name;
    match method.arguments.is_empty() {
        true if ["freeze", "unused"].contains(&name.as_str()) => name.clone(),
        _ => format!("{name}({})", flat_arguments(&method.arguments)),
    }
}

/// A float as the language writes it: always with a point or an exponent.
pub fn print_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-2..1e6).contains(&magnitude) {
        return format!("{value:e}");
    }
    format!("{value:?}")
}

/// A string as the language writes it.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
