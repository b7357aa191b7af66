//! Text to syntax tree. Checks nothing but the syntax and how large a tree grows.

use hqcc_grammar::{Grammar, Rule};
use pest::Parser;
use pest::iterators::{Pair, Pairs};

use super::ast::*;
use super::cut::cut;
use super::expect;
use super::span::{FileId, Sources, Span};
use crate::diagnostic::Diagnostic;

/// How many operators one expression may hold between brackets.
const MAX_OPERATORS: usize = 64;

/// How high the tree of one expression may grow. Whatever walks it may recurse.
const MAX_HEIGHT: usize = 100;

/// How many branches one `if` may have. The limit on brackets bounds how deep bodies nest.
const MAX_BRANCHES: usize = 256;

/// Whether a word is reserved by the grammar.
pub(super) fn is_reserved(word: &str) -> bool {
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    is_word && Grammar::parse(Rule::name, word).is_err()
}

/// Whether a text is a path that needs no quotes.
pub(super) fn is_path(text: &str) -> bool {
    let mut found = Grammar::parse(Rule::path, text).into_iter().flatten();
    found.next().is_some_and(|path| path.as_str() == text)
}

type Parsed<T> = Result<T, Diagnostic>;

/// An expression and the height of its tree.
type Grown = (Expr, usize);

/// Parses a file: every item that is sound, and an error for each that is not.
pub fn parse(sources: &Sources, file: FileId) -> (File, Vec<Diagnostic>) {
    let text = sources.text(file);
    let found = cut(file, text);
    let mut tree = File {
        items: Vec::new(),
        comments: found.comments,
    };
    let mut errors = found.errors;
    let mut items = Vec::new();
    for range in found.items {
        let builder = Builder {
            file,
            offset: range.start,
            comments: &tree.comments,
        };
        match builder.items(&text[range]) {
            Ok(found) => items.extend(found),
            Err(error) => errors.push(error),
        }
    }
    tree.items = items;
    errors.sort_by_key(|error| error.labels.first().map(|label| label.span.start));
    (tree, errors)
}

/// Parses an override such as `train.epochs=5` into an entry. Its text is
/// added to the sources as the file `<-s train.epochs=5>`.
///
/// `path` gives the words that a setting takes besides a path, and nothing for a setting that is no path. A shell takes quotes away,
/// so here the value of such a setting is the path itself, unless it is one of the words, a call such as `env("ROOT")`, or in quotes.
pub fn parse_setting(
    sources: &mut Sources,
    text: &str,
    path: &dyn Fn(&[Ident]) -> Option<&'static [&'static str]>,
) -> Result<Entry, Diagnostic> {
    let file = sources.add(format!("<-s {}>", text.replace('\n', " ")), text);
    let text = sources.text(file);
    let whole = Span::new(file, 0, text.len());
    let Some((key, value)) = text.split_once('=') else {
        return Err(
            Diagnostic::error("setting::form", format!("`-s {text}` sets nothing"))
                .at(whole, "there is no `=`")
                .help("write `-s path=value`, for example `-s train.epochs=5`"),
        );
    };
    let key_builder = Builder {
        file,
        offset: 0,
        comments: &[],
    };
    let key = key_builder.parse(Rule::setting, key)?;
    let key = key_builder.key(Parts::of(key).next()?)?;
    let bare = value.trim();
    let written_out = |words: &&[&str]| {
        bare.is_empty()
            || bare.starts_with(['"'])
            || bare.starts_with("env(")
            || words.contains(&bare)
    };
    let value = match path(&key).filter(|words| !written_out(words)) {
        Some(_) => {
            let start = text.len() - value.trim_start().len();
            Expr {
                kind: ExprKind::Str(bare.to_owned()),
                span: Span::new(file, start, start + bare.len()),
            }
        }
        None => {
            if let Some(error) = cut(file, text).errors.into_iter().next() {
                return Err(error);
            }
            let offset = text.len() - value.len();
            value_at(file, offset, value)?
        }
    };
    Ok(Entry {
        key,
        value,
        span: whole,
    })
}

/// Parses a value such as the default of a setting, which is in no file. Its places count as lying in `file`.
pub fn parse_value(file: FileId, text: &str) -> Result<Expr, Diagnostic> {
    value_at(file, 0, text)
}

fn value_at(file: FileId, offset: usize, text: &str) -> Result<Expr, Diagnostic> {
    let builder = Builder {
        file,
        offset,
        comments: &[],
    };
    let pair = builder.parse(Rule::value, text)?;
    Ok(builder.expression(Parts::of(pair).next()?)?.0)
}

/// Turns the pairs of one item into tree; `offset` is where the item's text begins in its file.
#[derive(Clone, Copy)]
struct Builder<'c> {
    file: FileId,
    offset: usize,
    comments: &'c [Comment],
}

/// The parts of a pair that carry meaning: keywords, brackets and commas are left out.
struct Parts<'a> {
    span: pest::Span<'a>,
    pairs: std::iter::Peekable<Pairs<'a, Rule>>,
}

impl<'a> Parts<'a> {
    fn of(pair: Pair<'a, Rule>) -> Parts<'a> {
        Parts {
            span: pair.as_span(),
            pairs: pair.into_inner().peekable(),
        }
    }

    fn skip_punctuation(&mut self) {
        while self
            .pairs
            .next_if(|pair| expect::is_punctuation(pair.as_rule()))
            .is_some()
        {}
    }

    fn next(&mut self) -> Parsed<Pair<'a, Rule>> {
        self.maybe().ok_or_else(|| {
            let text = self.span.as_str();
            Diagnostic::error("syntax::internal", format!("cannot make sense of `{text}`"))
        })
    }

    fn maybe(&mut self) -> Option<Pair<'a, Rule>> {
        self.skip_punctuation();
        self.pairs.next()
    }

    fn if_rule(&mut self, rule: Rule) -> Option<Pair<'a, Rule>> {
        self.skip_punctuation();
        self.pairs.next_if(|pair| pair.as_rule() == rule)
    }
}

impl Builder<'_> {
    fn parse<'a>(&self, rule: Rule, text: &'a str) -> Parsed<Pair<'a, Rule>> {
        let pairs = Grammar::parse(rule, text);
        let mut pairs = pairs.map_err(|e| expect::explain(&e, text, self.file, self.offset))?;
        pairs
            .next()
            .ok_or_else(|| Diagnostic::error("syntax::internal", "there is nothing to read"))
    }

    /// The span without the blanks and comments at its end, which the grammar skips eagerly.
    fn span(&self, span: pest::Span) -> Span {
        let start = self.offset + span.start();
        let mut text = span.as_str().trim_end();
        loop {
            let end = (start + text.len()) as u32;
            let comment = self.comments.binary_search_by_key(&end, |c| c.span.end);
            let Ok(index) = comment else { break };
            let begin = self.comments[index].span.start as usize;
            match begin
                .checked_sub(start)
                .and_then(|length| text.get(..length))
            {
                Some(before) => text = before.trim_end(),
                None => break,
            }
        }
        Span::new(self.file, start, start + text.len())
    }

    fn ident(&self, pair: Pair<Rule>) -> Ident {
        Ident {
            name: pair.as_str().to_owned(),
            span: self.span(pair.as_span()),
        }
    }

    fn items(&self, text: &str) -> Parsed<Vec<Item>> {
        let mut parts = Parts::of(self.parse(Rule::items, text)?);
        let mut items = Vec::new();
        while let Some(item) = parts.if_rule(Rule::item) {
            items.push(self.item(Parts::of(item).next()?)?);
        }
        Ok(items)
    }

    fn item(&self, pair: Pair<Rule>) -> Parsed<Item> {
        let span = self.span(pair.as_span());
        let rule = pair.as_rule();
        let mut parts = Parts::of(pair);
        Ok(match rule {
            Rule::import => {
                let path = parts.next()?;
                Item::Import(Import {
                    path: self.string(&path)?,
                    path_span: self.span(path.as_span()),
                    name: self.ident(parts.next()?),
                    span,
                })
            }
            Rule::binding => Item::Let(Let {
                name: self.ident(parts.next()?),
                value: self.expression(parts.next()?)?.0,
                span,
            }),
            Rule::block => Item::Block(self.function(parts, span)?),
            Rule::model => Item::Model(self.function(parts, span)?),
            Rule::circuit => Item::Circuit(Circuit {
                name: self.ident(parts.next()?),
                steps: self.circuit_body(parts.next()?)?,
                span,
            }),
            Rule::rewrite => {
                let name = self.ident(parts.next()?);
                let mut rules = Vec::new();
                while let Some(rule) = parts.if_rule(Rule::rewrite_rule) {
                    rules.push(self.rule(Parts::of(rule).next()?)?);
                }
                Item::Rewrite(Rewrite { name, rules, span })
            }
            Rule::names => {
                let name = self.ident(parts.next()?);
                let settings = match parts.if_rule(Rule::arguments) {
                    Some(settings) => self.arguments(settings)?.0,
                    None => Vec::new(),
                };
                let mut rules = Vec::new();
                while let Some(rule) = parts.if_rule(Rule::name_rule) {
                    rules.push(self.name_rule(rule)?);
                }
                Item::Names(Names {
                    name,
                    settings,
                    rules,
                    span,
                })
            }
            Rule::data => Item::Data(Data {
                name: self.ident(parts.next()?),
                source: self.ident(parts.next()?),
                entries: self.entries(parts.next()?)?,
                span,
            }),
            _ => Item::Section(Section {
                kind: self.ident(parts.next()?),
                entries: self.entries(parts.next()?)?,
                span,
            }),
        })
    }

    fn function(&self, mut parts: Parts, span: Span) -> Parsed<Function> {
        let name = self.ident(parts.next()?);
        let mut parameters = Vec::new();
        if let Some(list) = parts.if_rule(Rule::parameters) {
            let mut list = Parts::of(list);
            while let Some(parameter) = list.maybe() {
                let mut parameter = Parts::of(parameter);
                let name = self.ident(parameter.next()?);
                let default = parameter.maybe().map(|value| self.expression(value));
                parameters.push(Parameter {
                    name,
                    default: default.transpose()?.map(|grown| grown.0),
                });
            }
        }
        Ok(Function {
            name,
            parameters,
            body: self.body(parts.next()?)?,
            span,
        })
    }

    fn body(&self, pair: Pair<Rule>) -> Parsed<Body> {
        let span = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        let mut statements = Vec::new();
        while let Some(statement) = parts.maybe() {
            statements.push(self.statement(statement)?);
        }
        Ok(Body { statements, span })
    }

    fn statement(&self, pair: Pair<Rule>) -> Parsed<Statement> {
        let span = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        let mut annotations = Vec::new();
        while let Some(annotation) = parts.if_rule(Rule::annotation) {
            let span = self.span(annotation.as_span());
            annotations.push(self.method(Parts::of(annotation), span)?);
        }
        Ok(Statement {
            annotations,
            kind: self.statement_kind(parts.next()?)?,
            span,
        })
    }

    fn statement_kind(&self, pair: Pair<Rule>) -> Parsed<StatementKind> {
        let whole = self.span(pair.as_span());
        let rule = pair.as_rule();
        let mut parts = Parts::of(pair);
        Ok(match rule {
            Rule::input => StatementKind::Input {
                name: self.ident(parts.next()?),
                shape: self.expressions(Parts::of(parts.next()?))?,
                conditions: self.expressions(parts)?,
            },
            Rule::output => StatementKind::Output(self.expressions(parts)?),
            Rule::returns => StatementKind::Return(self.expressions(parts)?),
            Rule::repeat => StatementKind::Repeat {
                counter: self.ident(parts.next()?),
                over: self.expression(parts.next()?)?.0,
                body: self.body(parts.next()?)?,
            },
            Rule::choice => {
                let mut branches = Vec::new();
                while let Some(condition) = parts.if_rule(Rule::expression) {
                    self.check_branches(branches.len(), whole)?;
                    let condition = self.expression(condition)?.0;
                    branches.push((condition, self.body(parts.next()?)?));
                }
                let otherwise = parts.maybe().map(|body| self.body(body)).transpose()?;
                StatementKind::If {
                    branches,
                    otherwise,
                }
            }
            _ => {
                let mut targets = Vec::new();
                while let Some(target) = parts.if_rule(Rule::target) {
                    targets.push(self.target(target)?);
                }
                StatementKind::Assign {
                    targets,
                    value: self.expression(parts.next()?)?.0,
                }
            }
        })
    }

    fn check_branches(&self, count: usize, span: Span) -> Parsed<()> {
        if count < MAX_BRANCHES {
            return Ok(());
        }
        let message = format!("this `if` has more than {MAX_BRANCHES} branches");
        Err(Diagnostic::error("limit::branches", message).at(span, ""))
    }

    fn target(&self, pair: Pair<Rule>) -> Parsed<Target> {
        let span = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        let name = self.ident(parts.next()?);
        let mut indices = Vec::new();
        while let Some(index) = parts.if_rule(Rule::index) {
            indices.push(self.expression(Parts::of(index).next()?)?.0);
        }
        if indices.len() > MAX_HEIGHT {
            return Err(too_high(span));
        }
        Ok(Target {
            name,
            indices,
            span,
        })
    }

    fn method(&self, mut parts: Parts, span: Span) -> Parsed<Method> {
        let name = self.ident(parts.next()?);
        let arguments = match parts.if_rule(Rule::arguments) {
            Some(arguments) => self.arguments(arguments)?.0,
            None => Vec::new(),
        };
        Ok(Method {
            name,
            arguments,
            span,
        })
    }

    fn circuit_body(&self, pair: Pair<Rule>) -> Parsed<Vec<CircuitStep>> {
        let mut parts = Parts::of(pair);
        let mut steps = Vec::new();
        while let Some(step) = parts.maybe() {
            let step = Parts::of(step).next()?;
            let span = self.span(step.as_span());
            let rule = step.as_rule();
            let mut parts = Parts::of(step);
            steps.push(match rule {
                Rule::circuit_repeat => CircuitStep::Repeat {
                    count: self.expression(parts.next()?)?.0,
                    steps: self.circuit_body(parts.next()?)?,
                    span,
                },
                _ => CircuitStep::Gate(self.method(parts, span)?),
            });
        }
        Ok(steps)
    }

    fn rule(&self, pair: Pair<Rule>) -> Parsed<super::ast::Rule> {
        let span = self.span(pair.as_span());
        if pair.as_rule() == Rule::layer_rule {
            let mut parts = Parts::of(pair);
            let path = self.ident(parts.next()?);
            let method = self.method_span(&parts, span);
            let method = self.method(parts, method)?;
            return Ok(super::ast::Rule { path, method, span });
        }
        let word = pair.clone().into_inner().next();
        let word = word.map_or(span, |word| self.span(word.as_span()));
        let mut parts = Parts::of(pair);
        let mut method = Method {
            name: Ident {
                name: "freeze".to_owned(),
                span: word,
            },
            arguments: Vec::new(),
            span: word,
        };
        if let Some(arguments) = parts.if_rule(Rule::arguments) {
            method.span = word.to(self.span(arguments.as_span()));
            method.arguments = self.arguments(arguments)?.0;
        }
        let path = self.ident(parts.next()?);
        Ok(super::ast::Rule { path, method, span })
    }

    fn name_rule(&self, pair: Pair<Rule>) -> Parsed<NameRule> {
        let span = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        let foreign = parts.next()?;
        let foreign = match foreign.as_rule() {
            Rule::string => Ident {
                name: self.string(&foreign)?,
                span: self.span(foreign.as_span()),
            },
            _ => self.ident(foreign),
        };
        let here = self.ident(parts.next()?);
        let change = parts.if_rule(Rule::change).map(|change| {
            let span = self.span(change.as_span());
            self.method(Parts::of(change), span)
        });
        Ok(NameRule {
            foreign,
            here,
            change: change.transpose()?,
            span,
        })
    }

    /// From the name after the arrow to the end of the rule.
    fn method_span(&self, parts: &Parts, whole: Span) -> Span {
        let pairs = parts.pairs.clone();
        let name = pairs.into_iter().find(|pair| pair.as_rule() == Rule::name);
        name.map_or(whole, |name| Span {
            start: self.span(name.as_span()).start,
            ..whole
        })
    }

    fn entries(&self, pair: Pair<Rule>) -> Parsed<Vec<Entry>> {
        let mut parts = Parts::of(pair);
        let mut entries = Vec::new();
        while let Some(entry) = parts.maybe() {
            let span = self.span(entry.as_span());
            let mut parts = Parts::of(entry);
            entries.push(Entry {
                key: self.key(parts.next()?)?,
                value: self.expression(parts.next()?)?.0,
                span,
            });
        }
        Ok(entries)
    }

    fn key(&self, pair: Pair<Rule>) -> Parsed<Vec<Ident>> {
        let span = self.span(pair.as_span());
        let words: Vec<_> = pair.into_inner().map(|word| self.ident(word)).collect();
        if words.len() > MAX_HEIGHT {
            return Err(too_high(span));
        }
        Ok(words)
    }

    fn expressions(&self, mut parts: Parts) -> Parsed<Vec<Expr>> {
        let mut found = Vec::new();
        while let Some(expression) = parts.if_rule(Rule::expression) {
            found.push(self.expression(expression)?.0);
        }
        Ok(found)
    }

    fn expression(&self, pair: Pair<Rule>) -> Parsed<Grown> {
        let span = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        let (from, from_height) = self.operation(parts.next()?)?;
        let Some(sign) = parts.if_rule(Rule::range_sign) else {
            return Ok((from, from_height));
        };
        let (to, to_height) = self.operation(parts.next()?)?;
        let kind = ExprKind::Range {
            from: Box::new(from),
            to: Box::new(to),
            inclusive: sign.as_str() != "..",
        };
        grow(kind, span, from_height.max(to_height))
    }

    fn operation(&self, pair: Pair<Rule>) -> Parsed<Grown> {
        let span = self.span(pair.as_span());
        let mut tokens = Vec::new();
        let mut operators = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::operator => {
                    let symbol = part.as_str();
                    let op = BinaryOp::ALL.into_iter().find(|op| op.symbol() == symbol);
                    tokens.extend(op.map(|op| Token::Infix(op, self.span(part.as_span()))));
                    operators += 1;
                }
                _ => {
                    for part in part.clone().into_inner() {
                        if part.as_rule() == Rule::prefix {
                            let op = match part.as_str() {
                                "-" => UnaryOp::Negate,
                                _ => UnaryOp::Not,
                            };
                            tokens.push(Token::Prefix(op, self.span(part.as_span())));
                            operators += 1;
                        }
                    }
                    tokens.push(Token::Operand(self.operand(part)?));
                }
            }
            if operators > MAX_OPERATORS {
                let message = format!("this expression has more than {MAX_OPERATORS} operators");
                let error = Diagnostic::error("limit::operators", message).at(span, "");
                return Err(error.help("give its parts names"));
            }
        }
        let mut tokens = tokens.into_iter().peekable();
        climb(&mut tokens, 0, span)
    }

    fn operand(&self, pair: Pair<Rule>) -> Parsed<Grown> {
        let whole = self.span(pair.as_span());
        let mut parts = Parts::of(pair);
        while parts.if_rule(Rule::prefix).is_some() {}
        let atom = parts.next()?;
        let start = self.span(atom.as_span()).start;
        let (mut expr, mut height) = self.atom(atom)?;
        while let Some(part) = parts.maybe() {
            let end = self.span(part.as_span()).end;
            let span = Span {
                start,
                end,
                file: whole.file,
            };
            let (kind, inner) = match part.as_rule() {
                Rule::arguments => {
                    let (arguments, inner) = self.arguments(part)?;
                    (ExprKind::Call(Box::new(expr), arguments), inner)
                }
                Rule::index => {
                    let (index, inner) = self.expression(Parts::of(part).next()?)?;
                    (ExprKind::Index(Box::new(expr), Box::new(index)), inner)
                }
                _ => {
                    let word = self.ident(Parts::of(part).next()?);
                    (ExprKind::Member(Box::new(expr), word), 0)
                }
            };
            (expr, height) = grow(kind, span, height.max(inner))?;
        }
        Ok((expr, height))
    }

    fn arguments(&self, pair: Pair<Rule>) -> Parsed<(Vec<Argument>, usize)> {
        let mut parts = Parts::of(pair);
        let mut arguments = Vec::new();
        let mut height = 0;
        while let Some(argument) = parts.maybe() {
            let mut parts = Parts::of(argument);
            let name = parts.if_rule(Rule::word).map(|word| self.ident(word));
            let (value, inner) = self.expression(parts.next()?)?;
            height = height.max(inner);
            arguments.push(Argument { name, value });
        }
        Ok((arguments, height))
    }

    fn atom(&self, pair: Pair<Rule>) -> Parsed<Grown> {
        let span = self.span(pair.as_span());
        let text = pair.as_str();
        match pair.as_rule() {
            Rule::group => {
                let (inner, height) = self.expression(Parts::of(pair).next()?)?;
                let kind = inner.kind;
                Ok((Expr { kind, span }, height))
            }
            Rule::list => {
                let mut parts = Parts::of(pair);
                let mut values = Vec::new();
                let mut height = 0;
                while let Some(value) = parts.maybe() {
                    let (value, inner) = self.expression(value)?;
                    height = height.max(inner);
                    values.push(value);
                }
                grow(ExprKind::List(values), span, height)
            }
            Rule::conditional => {
                let mut parts = Parts::of(pair);
                let mut values = Vec::new();
                let mut height = 0;
                while let Some(value) = parts.maybe() {
                    self.check_branches(values.len() / 2, span)?;
                    let (value, inner) = self.expression(value)?;
                    height = height.max(inner);
                    values.push(value);
                }
                let mut values = values.into_iter();
                let mut branches = Vec::new();
                loop {
                    match (values.next(), values.next()) {
                        (Some(condition), Some(value)) => branches.push((condition, value)),
                        (Some(otherwise), None) => {
                            let otherwise = Box::new(otherwise);
                            let kind = ExprKind::If {
                                branches,
                                otherwise,
                            };
                            return grow(kind, span, height);
                        }
                        _ => {
                            // The grammar asks for the `else`.
                            let message = "an `if` that gives a value needs an `else`";
                            return Err(Diagnostic::error("syntax::internal", message).at(span, ""));
                        }
                    }
                }
            }
            Rule::boolean => grow(ExprKind::Bool(text == "true"), span, 0),
            Rule::number => grow(number(text, span)?, span, 0),
            Rule::string => grow(ExprKind::Str(self.string(&pair)?), span, 0),
            _ => grow(ExprKind::Name(text.to_owned()), span, 0),
        }
    }

    /// The text of a string with its escapes resolved.
    fn string(&self, pair: &Pair<Rule>) -> Parsed<String> {
        let quoted = pair.as_str();
        let inner = quoted.trim_matches('"');
        let inner = quoted
            .get(1..quoted.len().saturating_sub(1))
            .unwrap_or(inner);
        let mut text = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            let resolved = match (c, c == '\\') {
                (c, false) => c,
                _ => match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c @ ('"' | '\\')) => c,
                    other => {
                        let found = other.map_or(String::new(), String::from);
                        let message = format!("`\\{found}` stands for no character");
                        let span = self.span(pair.as_span());
                        return Err(Diagnostic::error("syntax::escape", message)
                            .at(span, "in this string")
                            .help("there is `\\\"`, `\\\\`, `\\n` and `\\t`"));
                    }
                },
            };
            text.push(resolved);
        }
        Ok(text)
    }
}

enum Token {
    Prefix(UnaryOp, Span),
    Infix(BinaryOp, Span),
    Operand(Grown),
}

/// Precedence climbing: reads operators that bind at least as tightly as `least`.
fn climb(
    tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
    least: u8,
    whole: Span,
) -> Parsed<Grown> {
    let (mut left, mut height) = match tokens.next() {
        Some(Token::Operand(grown)) => grown,
        Some(Token::Prefix(op, at)) => {
            let (inner, height) = climb(tokens, op.precedence(), whole)?;
            let span = at.to(inner.span);
            grow(ExprKind::Unary(op, Box::new(inner)), span, height)?
        }
        _ => return Err(Diagnostic::error("syntax::internal", "a value is missing").at(whole, "")),
    };
    let mut compared = None;
    while let Some(Token::Infix(op, at)) =
        tokens.next_if(|token| matches!(token, Token::Infix(op, _) if op.precedence() >= least))
    {
        let precedence = op.precedence();
        if precedence == BinaryOp::Equal.precedence() {
            if let Some(first) = compared.replace(at) {
                return Err(Diagnostic::error(
                    "syntax::comparison",
                    "comparisons cannot be chained",
                )
                .at(at, "second comparison")
                .see(first, "first comparison")
                .help("write `a < b and b < c`"));
            }
        } else {
            compared = None;
        }
        let tighter = if op == BinaryOp::Power { 0 } else { 1 };
        let (right, right_height) = climb(tokens, precedence + tighter, whole)?;
        let span = left.span.to(right.span);
        let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
        (left, height) = grow(kind, span, height.max(right_height))?;
    }
    Ok((left, height))
}

/// Puts a node on top of subtrees of which the highest has `height`.
fn grow(kind: ExprKind, span: Span, height: usize) -> Parsed<Grown> {
    if height >= MAX_HEIGHT {
        return Err(too_high(span));
    }
    Ok((Expr { kind, span }, height + 1))
}

fn too_high(span: Span) -> Diagnostic {
    let message = format!("this expression is nested deeper than {MAX_HEIGHT}");
    let error = Diagnostic::error("limit::nesting", message).at(span, "");
    error.help("give its parts names")
}

fn number(text: &str, span: Span) -> Parsed<ExprKind> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let value = text.parse().map(ExprKind::Int);
        return value.map_err(|_| {
            let message = format!("`{text}` is too large for a whole number");
            Diagnostic::error("syntax::number", message)
                .at(span, format!("the largest is {}", i64::MAX))
        });
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
        _ => {
            let message = format!("`{text}` is too large for a number");
            let error = Diagnostic::error("syntax::number", message);
            Err(error.at(span, format!("the largest is {:e}", f64::MAX)))
        }
    }
}
