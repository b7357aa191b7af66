//! Text to syntax tree and back: spans, tree, parser, printer. Nothing here knows what a name means.

pub mod ast;
mod cut;
mod expect;
pub mod parse;
pub mod print;
pub mod span;

pub use parse::{parse, parse_setting, parse_value};
pub use print::{format, print};
