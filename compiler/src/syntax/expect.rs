//! What the grammar expected, in words.

use hqcc_grammar::Rule;
use pest::error::{Error, ErrorVariant, InputLocation};

use super::cut::ITEM_WORDS;
use super::span::{FileId, Span};
use crate::diagnostic::{Diagnostic, list, nearest};

/// Whether a pair carries no meaning once its parent is known.
pub(super) fn is_punctuation(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::kw_import
            | Rule::kw_as
            | Rule::kw_let
            | Rule::kw_block
            | Rule::kw_circuit
            | Rule::kw_model
            | Rule::kw_rewrite
            | Rule::kw_freeze
            | Rule::kw_names
            | Rule::kw_data
            | Rule::kw_input
            | Rule::kw_where
            | Rule::kw_output
            | Rule::kw_return
            | Rule::kw_repeat
            | Rule::kw_in
            | Rule::kw_to
            | Rule::kw_if
            | Rule::kw_else
            | Rule::kw_and
            | Rule::kw_or
            | Rule::kw_not
            | Rule::equals
            | Rule::arrow
            | Rule::colon
            | Rule::comma
            | Rule::open_paren
            | Rule::close_paren
            | Rule::open_bracket
            | Rule::close_bracket
            | Rule::open_brace
            | Rule::close_brace
            | Rule::EOI
    )
}

/// A rule in words; empty for rules that only continue a complete value.
fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::item | Rule::items => "an item such as `model` or `train`",
        Rule::import | Rule::kw_import => "`import`",
        Rule::binding | Rule::kw_let => "`let`",
        Rule::block | Rule::kw_block => "`block`",
        Rule::model | Rule::kw_model => "`model`",
        Rule::circuit | Rule::kw_circuit => "`circuit`",
        Rule::rewrite | Rule::kw_rewrite => "`rewrite`",
        Rule::names | Rule::kw_names => "`names`",
        Rule::data | Rule::kw_data => "`data`",
        Rule::section | Rule::section_name => "`train`, `predict` or `sweep`",
        Rule::parameters => "parameters in parentheses",
        Rule::parameter => "a parameter",
        Rule::body | Rule::circuit_body | Rule::entries | Rule::open_brace => "`{`",
        Rule::close_brace => "`}`",
        Rule::statement | Rule::assign => "a statement",
        Rule::annotation => "an annotation",
        Rule::input | Rule::kw_input => "`input`",
        Rule::output | Rule::kw_output => "`output`",
        Rule::returns | Rule::kw_return => "`return`",
        Rule::repeat | Rule::kw_repeat | Rule::circuit_repeat => "`repeat`",
        Rule::choice | Rule::kw_if | Rule::conditional => "`if`",
        Rule::target | Rule::name | Rule::word => "a name",
        Rule::circuit_step | Rule::gate => "a gate such as `ry(all)`",
        Rule::rewrite_rule | Rule::freeze_rule | Rule::layer_rule => {
            "a rule such as `head => qpg()`"
        }
        Rule::name_rule => "a rule such as `features.0 => conv1`",
        Rule::change => "a conversion such as `positions(skip = 1)`",
        Rule::path | Rule::path_part => "a path such as `encoder.**`",
        Rule::entry => "a setting such as `epochs = 20`",
        Rule::key | Rule::setting => "the name of a setting",
        Rule::expression | Rule::operation | Rule::operand | Rule::value => "a value",
        Rule::list => "a list in brackets",
        Rule::group | Rule::arguments | Rule::open_paren => "`(`",
        Rule::argument => "an argument",
        Rule::boolean => "`true` or `false`",
        Rule::number => "a number",
        Rule::string => "a quoted string",
        Rule::kw_as => "`as`",
        Rule::kw_where => "`where`",
        Rule::kw_in => "`in`",
        Rule::kw_else => "`else`",
        Rule::kw_freeze => "`freeze`",
        Rule::equals => "`=`",
        Rule::arrow => "`=>`",
        Rule::colon => "`:`",
        Rule::comma => "`,`",
        Rule::close_paren => "`)`",
        Rule::open_bracket => "`[`",
        Rule::close_bracket => "`]`",
        Rule::operator | Rule::range_sign | Rule::index | Rule::member | Rule::prefix => "",
        Rule::kw_to | Rule::kw_and | Rule::kw_or | Rule::kw_not | Rule::EOI => "",
        _ => "",
    }
}

/// Turns an error of the grammar into one in words. `offset` is where `text` begins in its file.
pub(super) fn explain(error: &Error<Rule>, text: &str, file: FileId, offset: usize) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at.min(text.len()),
    };
    let rest = text.get(at..).unwrap_or("");
    let found = token(rest);
    let (place, what) = match found {
        "" => (
            last_token(text),
            match offset + text.len() {
                0 => "nothing".to_owned(),
                _ => "the end".to_owned(),
            },
        ),
        token => ((at, at + token.len()), format!("`{token}`")),
    };
    let span = Span::new(file, offset + place.0, offset + place.1);
    let positives = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => {
            let message = "this item is too large or too deeply nested to be read";
            return Diagnostic::error("limit::nesting", message).at(span, "stopped here");
        }
    };
    if let Some(error) = nameless(text, at, span, found, positives) {
        return error;
    }
    // Where an operator would fit, a value is complete, and brackets would only go on with it.
    let complete = positives.contains(&Rule::operator) || positives.contains(&Rule::range_sign);
    let goes_on = [
        Rule::arguments,
        Rule::open_paren,
        Rule::index,
        Rule::open_bracket,
    ];
    let mut expected: Vec<String> = Vec::new();
    for rule in positives {
        if complete && goes_on.contains(rule) {
            continue;
        }
        let words = words(*rule).to_owned();
        if !words.is_empty() && !expected.contains(&words) {
            expected.push(words);
        }
    }
    let expected = match expected.len() {
        0 if complete => "an operator or the end".to_owned(),
        0 => "something else".to_owned(),
        _ => list(&expected, "or"),
    };
    let label = match found {
        "" => "the text ends after this",
        _ => "this does not fit here",
    };
    let diagnostic = Diagnostic::error(
        "syntax::expected",
        format!("expected {expected}, found {what}"),
    );
    let diagnostic = diagnostic.at(span, label);
    match advice(found, rest, text, positives) {
        Some(advice) => diagnostic.help(advice),
        None => diagnostic,
    }
}

/// The error of a statement that is a value alone, such as `relu(y)` at the end of a block: it binds no name.
fn nameless(
    text: &str,
    at: usize,
    span: Span,
    found: &str,
    positives: &[Rule],
) -> Option<Diagnostic> {
    let after_target = positives.contains(&Rule::equals)
        && (positives.contains(&Rule::index) || positives.contains(&Rule::open_bracket));
    let is_value = matches!(found, "(" | "." | "}" | "+" | "-" | "*" | "/" | "^");
    let head = text.get(..at)?.trim_end();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = head.rfind(|c| !is_word(c)).map_or(0, |before| before + 1);
    let name = &head[start..];
    if !after_target || !is_value || name.is_empty() {
        return None;
    }
    let value = match found {
        "}" => name.to_owned(),
        _ => written(&text[start..], name),
    };
    let (ends, gives) = match item_word(text) {
        "block" => ("a block ends with `return NAME`", format!("return {value}")),
        _ => ("a model ends with `output NAME`", format!("output {value}")),
    };
    let message = format!("`{value}` alone is no statement: {ends}");
    let place = Span {
        start: span.start - (at - start) as u32,
        end: span.start - (at - head.len()) as u32,
        ..span
    };
    let help = match value == name {
        true => format!("write `{gives}` for the result"),
        false => format!("write `{gives}` for the result, or `y = {value}` to go on with it"),
    };
    let error = Diagnostic::error("syntax::statement", message);
    Some(error.at(place, "this binds no name").help(help))
}

/// The value at the start of a text as one line; only its name where it is long or goes on.
fn written(text: &str, name: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split('#').next().unwrap_or_default().trim();
    let pairs = line.matches('(').count() == line.matches(')').count();
    match pairs && line.len() <= 40 {
        true => line.to_owned(),
        false => format!("{name}(...)"),
    }
}

/// The word that an item begins with, after the comments above it.
fn item_word(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('#') {
        rest = rest.find('\n').map_or("", |end| &rest[end..]).trim_start();
    }
    token(rest)
}

/// Help for habits from other languages. `text` is the whole item.
fn advice(found: &str, rest: &str, text: &str, positives: &[Rule]) -> Option<String> {
    let is_item = positives.iter().any(|rule| {
        matches!(
            rule,
            Rule::item | Rule::items | Rule::import | Rule::binding
        )
    });
    if is_item && let Some(item) = nearest(found, ITEM_WORDS) {
        return Some(format!("did you mean `{item}`?"));
    }
    let advice = match found {
        ";" => "statements need no `;`: leave it out",
        "'" => "strings stand between double quotes: \"...\"",
        ":" => "settings are given with `=`",
        "&" | "&&" => "write `and`",
        "|" | "||" => "write `or`",
        "!" => "write `not`",
        "/" if rest.starts_with("//") || rest.starts_with("/*") => "comments begin with `#`",
        "**" => "write `^` for a power",
        "+=" | "-=" => "names are bound once: give the result a name of its own",
        "for" | "while" => "loops are written `repeat i in 1 to 4 { ... }`",
        "def" | "fn" | "class" => "write `block` or `model`",
        "to" => "`to` is a reserved word",
        "(" if item_word(text) == "circuit" && positives.contains(&Rule::open_brace) => {
            "a circuit has no parameters, and `qpg` sets its `blocks`: \
             `circuit mine { h(all) repeat blocks { rz(all) cz(chain) } }`"
        }
        _ if positives.contains(&Rule::name) && super::parse::is_reserved(found) => {
            return Some(format!("`{found}` is a reserved word; take another name"));
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The token at the start of a text.
fn token(rest: &str) -> &str {
    let Some(first) = rest.chars().next() else {
        return "";
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_word(first) {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        return &rest[..end];
    }
    let pairs = [
        "**", "=>", "==", "&&", "||", "+=", "-=", "..", "!=", "<=", ">=",
    ];
    let pair = pairs.iter().find(|pair| rest.starts_with(**pair));
    pair.map_or(&rest[..first.len_utf8()], |pair| &rest[..pair.len()])
}

/// The position of the last character that is not white space.
fn last_token(text: &str) -> (usize, usize) {
    let trimmed = text.trim_end();
    let last = trimmed.chars().next_back().map_or(0, char::len_utf8);
    (trimmed.len() - last, trimmed.len())
}
