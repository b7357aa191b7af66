//! Arguments matched to what can be given, and their values checked: one set of codes and words for layers, blocks,
//! models, rules, names, optimisers and whatever else takes settings.

use std::borrow::Borrow;

use super::state::{Elaborator, Frame, Outcome, Place, Reported};
use super::value::Value;
use crate::cases::Cases;
use crate::diagnostic::{bail, error, list, nearest, suggest};
use crate::setting::{Kind, Setting, SettingValue, Settings};
use crate::syntax::ast::{Argument, Expr, ExprKind, Parameter};
use crate::syntax::span::Span;

/// Something that can be given to a call: a setting of a table, or a parameter of a block or a model.
pub trait Declaration {
    /// Its name.
    fn name(&self) -> &str;

    /// Its default as text; `None` where it must be given.
    fn default(&self) -> Option<&str>;

    /// What it does, if that is known.
    fn doc(&self) -> &str;
}

impl Declaration for Setting {
    fn name(&self) -> &str {
        self.name
    }

    fn default(&self) -> Option<&str> {
        self.default
    }

    fn doc(&self) -> &str {
        self.doc
    }
}

impl Declaration for &Setting {
    fn name(&self) -> &str {
        self.name
    }

    fn default(&self) -> Option<&str> {
        self.default
    }

    fn doc(&self) -> &str {
        self.doc
    }
}

impl Declaration for Parameter {
    fn name(&self) -> &str {
        &self.name.name
    }

    fn default(&self) -> Option<&str> {
        self.default.as_ref().map(|_| "...")
    }

    fn doc(&self) -> &str {
        ""
    }
}

/// The callee of a call: its name, and its declarations.
pub struct Callee<'d, D> {
    /// The name, as messages show it.
    pub name: &'d str,
    /// What can be given, in order.
    pub declared: &'d [D],
    /// Whether arguments without a name are taken in that order.
    pub by_position: bool,
    /// The place of its definition, if that is in a file.
    pub defined: Option<Span>,
}

/// Arguments with the declaration of each, in the order of the source. `T` is what the caller attaches to an argument.
pub struct Matched<'d, 'e, D, T> {
    /// The declaration, the argument, and what is attached.
    pub given: Vec<(&'d D, &'e Argument, T)>,
    /// Whether an argument was refused.
    pub failed: bool,
}

impl<D: Declaration, T> Matched<'_, '_, D, T> {
    /// Whether something was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, ..)| given.name() == name)
    }
}

/// Help for a name that is not declared: the nearest one; else the only one whose doc has a word of the wrong name
/// (`kernel_size` is `k`, the `height and width of the kernel`); else all names.
fn suggest_declared<D: Declaration>(wrong: &str, declared: &[D]) -> Option<String> {
    let names: Vec<_> = declared.iter().map(Declaration::name).collect();
    let by_doc = |word: &str| {
        let mut found = declared.iter().filter(|d| d.doc().contains(word));
        let only = found.next().filter(|_| word.len() > 3)?;
        found.next().is_none().then_some(only)
    };
    let near = nearest(wrong, names.iter().copied());
    match wrong.split('_').find_map(by_doc).filter(|_| near.is_none()) {
        Some(only) => Some(format!("did you mean `{}`: {}?", only.name(), only.doc())),
        None => suggest(wrong, &names),
    }
}

/// Why a value is none that a setting takes.
enum Misfit<'v> {
    /// It is of another kind than the one named.
    Kind(&'static str),
    /// What its number must do.
    Limits(String),
    /// It is none of the words.
    Word(&'v str, &'static [&'static str]),
}

fn fitted(kind: Kind, value: &Value) -> Result<SettingValue, Misfit<'_>> {
    let fitted = match (kind, value) {
        (Kind::Int { .. } | Kind::Odd { .. }, Value::Int(value)) => SettingValue::Int(*value),
        (Kind::Int { .. } | Kind::Odd { .. }, _) => return Err(Misfit::Kind("a whole number")),
        (Kind::Float(_), value) => {
            SettingValue::Float(value.as_float().ok_or(Misfit::Kind("a number"))?)
        }
        (Kind::Bool, Value::Bool(value)) => SettingValue::Bool(*value),
        (Kind::Bool, _) => return Err(Misfit::Kind("true or false")),
        (Kind::Word(words) | Kind::Size(words) | Kind::Path(words), Value::Word(word))
            if words.contains(&word.as_str()) =>
        {
            SettingValue::Word(word.clone())
        }
        (Kind::Word(words), Value::Word(word)) => return Err(Misfit::Word(word, words)),
        (Kind::Word(_), _) => return Err(Misfit::Kind("a word")),
        (Kind::Range | Kind::Size(_), Value::List(list)) => {
            let numbers: Option<Vec<f64>> = list.items().iter().map(Value::as_float).collect();
            match numbers.as_deref() {
                Some(&[a, b]) => SettingValue::Pair([a, b]),
                _ => return Err(Misfit::Kind("two numbers in brackets")),
            }
        }
        (Kind::Range | Kind::Size(_), _) => return Err(Misfit::Kind("two numbers in brackets")),
        (Kind::Cases, value) => SettingValue::Cases(cases(value)?),
        (Kind::Path(_), Value::Str(text)) => SettingValue::Text(text.to_string()),
        (Kind::Path(_), _) => return Err(Misfit::Kind("a path in quotes")),
        (Kind::Circuit, _) => return Err(Misfit::Kind("a circuit")),
        (Kind::Other(what), _) => return Err(Misfit::Kind(what)),
    };
    match kind.refusal(&fitted) {
        None => Ok(fitted),
        Some(refusal) => Err(Misfit::Limits(refusal)),
    }
}

/// Case numbers: a range, a number, or a list of both.
fn cases(value: &Value) -> Result<Cases, Misfit<'static>> {
    let parts = match value {
        Value::List(list) => list.items(),
        one => std::slice::from_ref(one),
    };
    let range = |part: &Value| {
        let (from, to) = match *part {
            Value::Range {
                from,
                to,
                inclusive,
            } => (from, to.saturating_add(i64::from(inclusive))),
            Value::Int(one) => (one, one.saturating_add(1)),
            _ => return Err(Misfit::Kind("case numbers such as `0..180`")),
        };
        let outside = |_| Misfit::Limits(format!("name cases from 0 to {}", Cases::END - 1));
        let from = u32::try_from(from).map_err(outside)?;
        Ok(from..u32::try_from(to).map_err(outside)?)
    };
    let ranges: Result<_, _> = parts.iter().map(range).collect();
    ranges.map(Cases)
}

impl Elaborator<'_> {
    /// Finds the declaration of each argument. Reports names that are not declared, settings given twice, and arguments
    /// without a name that no declaration takes.
    pub fn matched<'d, 'e, D: Declaration, T>(
        &mut self,
        callee: &Callee<'d, D>,
        arguments: impl IntoIterator<Item = (&'e Argument, T)>,
    ) -> Matched<'d, 'e, D, T> {
        let mut given: Vec<(&'d D, &'e Argument, T)> = Vec::new();
        let mut positions = callee.declared.iter();
        let mut failed = false;
        for (argument, attached) in arguments {
            let found = match &argument.name {
                Some(word) => callee.declared.iter().find(|d| d.name() == word.name),
                None if callee.by_position => positions.next(),
                None => None,
            };
            let Some(declared) = found else {
                self.stranger(callee, argument);
                failed = true;
                continue;
            };
            let name = declared.name();
            if let Some((_, first, _)) = given.iter().find(|(given, ..)| given.name() == name) {
                self.fail(error!(
                    "setting::twice" at argument.value.span, "`{name}` is given twice";
                    here: "second time";
                    see: first.value.span, "first time"
                ));
                failed = true;
                continue;
            }
            given.push((declared, argument, attached));
        }
        Matched { given, failed }
    }

    /// Reports an argument that nothing declared takes.
    fn stranger<D: Declaration>(&mut self, callee: &Callee<D>, argument: &Argument) -> Reported {
        let (name, at) = (callee.name, argument.value.span);
        let names = callee.declared.iter().map(|d| format!("`{}`", d.name()));
        let names = list(&names.collect::<Vec<_>>(), "and");
        let takes = (!names.is_empty()).then(|| format!("it takes {names}"));
        let first = callee.declared.first();
        let error = match (&argument.name, first) {
            (None, _) if callee.by_position => error!(
                "call::count" at at, "`{name}` takes no more values";
                here: "this is one too many";
                suggest: takes
            ),
            (_, None) => error!("setting::unknown" at at, "`{name}` has no settings"),
            (Some(word), Some(_)) => error!(
                "setting::unknown" at word.span, "`{name}` has no setting `{}`", word.name;
                suggest: suggest_declared(&word.name, callee.declared)
            ),
            (None, Some(first)) => error!(
                "setting::position" at at, "settings of `{name}` are given by name";
                help: "for example `{name}({} = {})`", first.name(), first.default().unwrap_or("...")
            ),
        };
        self.fail(match callee.defined {
            Some(span) => error.see(span, format!("`{name}` is defined here")),
            None => error,
        })
    }

    /// Reports each declaration without a default that the call at `span` does not give.
    ///
    /// # Errors
    /// Something is missing, or was refused before.
    pub fn complete<D: Declaration, T>(
        &mut self,
        callee: &Callee<D>,
        matched: &Matched<D, T>,
        span: Span,
    ) -> Outcome<()> {
        let absent = |d: &&D| d.default().is_none() && !matched.has(d.name());
        let missing: Vec<_> = callee.declared.iter().filter(absent).collect();
        if matched.failed {
            return Err(Reported);
        }
        let needs = match missing.as_slice() {
            [] => return Ok(()),
            [one] if !one.doc().is_empty() => format!("`{}`: {}", one.name(), one.doc()),
            several => {
                let names = several.iter().map(|d| format!("`{}`", d.name()));
                list(&names.collect::<Vec<_>>(), "and")
            }
        };
        let name = callee.name;
        let error = error!("setting::missing" at span, "`{name}` needs {needs}");
        Err(self.fail(match callee.defined {
            Some(span) => error.see(span, format!("`{name}` is defined here")),
            None => error,
        }))
    }

    /// The settings that arguments give, each of its kind and within its limits. `span` is the whole call.
    ///
    /// # Errors
    /// Reported, every one of them.
    pub fn settings<D: Declaration + Borrow<Setting>>(
        &mut self,
        callee: &Callee<D>,
        arguments: &[Argument],
        span: Span,
        frame: &Frame,
    ) -> Outcome<Settings> {
        let matched = self.matched(callee, arguments.iter().map(|argument| (argument, ())));
        let mut given = Settings::default();
        let mut result = Ok(());
        for (setting, argument, ()) in &matched.given {
            let setting: &Setting = (*setting).borrow();
            match self.value(setting, &argument.value, frame) {
                Ok(value) => given.0.extend(value.map(|value| (setting.name, value))),
                Err(reported) => result = Err(reported),
            }
        }
        result?;
        self.complete(callee, &matched, span)?;
        Ok(given)
    }

    /// The value that an expression gives a setting; none for an `auto` that is the default.
    ///
    /// # Errors
    /// Reported.
    pub fn value(
        &mut self,
        setting: &Setting,
        expr: &Expr,
        frame: &Frame,
    ) -> Outcome<Option<SettingValue>> {
        let argument = Argument {
            name: None,
            value: expr.clone(),
        };
        let value = self.argument(&argument, Some(setting), frame, &Place::within(frame))?;
        self.convert(setting, &value, expr, frame)
    }

    /// The value of an argument. A bare word that its setting knows is taken literally, even if something of that name
    /// is bound.
    pub fn argument(
        &mut self,
        argument: &Argument,
        setting: Option<&Setting>,
        frame: &Frame,
        place: &Place,
    ) -> Outcome<Value> {
        match (&argument.value.kind, setting.map(|s| s.kind)) {
            (
                ExprKind::Name(word),
                Some(Kind::Word(words) | Kind::Size(words) | Kind::Path(words)),
            ) if words.contains(&word.as_str()) => Ok(Value::Word(word.clone())),
            // A bare word that is neither a known one nor bound: name the words, not the lack of a binding.
            (ExprKind::Name(word), Some(Kind::Size(words))) if !frame.binds(word) => {
                let setting = setting.map_or("", |setting| setting.name);
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                bail!(
                    self, "setting::word" at argument.value.span, "`{setting}` cannot be `{word}`";
                    help: "write two numbers in brackets, or {}", list(&words, "or")
                )
            }
            // A circuit is looked up by its name, which is not a value.
            (_, Some(Kind::Circuit)) => Ok(Value::Poison),
            _ => self.eval(&argument.value, frame, &place.inner()),
        }
    }

    /// The value of a setting, of its kind and within its limits; none for `auto`.
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
        if setting.kind == Kind::Circuit {
            let ansatz = self.named_circuit(at, frame)?;
            return Ok(Some(SettingValue::Circuit(ansatz)));
        }
        let name = setting.name;
        match fitted(setting.kind, value) {
            Ok(value) => Ok(Some(value)),
            Err(Misfit::Kind(wanted)) => {
                Err(self.mismatch(&format!("{wanted} for `{name}`"), value, at, frame))
            }
            Err(Misfit::Limits(refusal)) => {
                let counters = frame.counters();
                let gap = if counters.is_empty() { "" } else { ", " };
                bail!(
                    self, "setting::range" at at.span, "`{name}` must {refusal}";
                    here: "this is {}{gap}{counters}", value.print()
                );
            }
            Err(Misfit::Word(word, words)) => bail!(
                self, "setting::word" at at.span, "`{name}` cannot be `{word}`"; suggest: suggest(word, words)
            ),
        }
    }

    /// One of several words; a bare word that is among them is taken literally, even if something of that name is bound.
    pub fn word<T: Copy>(
        &mut self,
        setting: &str,
        expr: &Expr,
        words: &[(&str, T)],
        frame: &Frame,
    ) -> Outcome<T> {
        let find = |word: &str| words.iter().find(|(known, _)| *known == word);
        if let ExprKind::Name(word) = &expr.kind
            && let Some((_, value)) = find(word)
        {
            return Ok(*value);
        }
        match self.setting(expr, frame)? {
            Value::Word(word) => match find(&word) {
                Some((_, value)) => Ok(*value),
                None => {
                    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                    bail!(
                        self, "setting::word" at expr.span, "`{setting}` cannot be `{word}`";
                        suggest: suggest(&word, &known)
                    );
                }
            },
            value => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                let wanted = format!("{} for `{setting}`", list(&words, "or"));
                Err(self.mismatch(&wanted, &value, expr, frame))
            }
        }
    }
}
