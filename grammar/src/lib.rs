//! The syntax of `.hqc` files: the grammar `hqc.pest` and the parser that pest derives from it.
//!
//! The crate checks syntax only. It gives no rule a meaning; `hqcc-compiler` builds the syntax tree from the pairs.
//!
//! ```
//! use hqcc_grammar::{Grammar, Rule};
//! use pest::Parser;
//!
//! assert!(Grammar::parse(Rule::items, "let width = 2 * 8").is_ok());
//! assert!(Grammar::parse(Rule::items, "let = 8").is_err());
//! ```

#![allow(
    missing_docs,
    reason = "hqc.pest documents its rules; pest_derive writes the items"
)]

/// The parser of `.hqc` text, with one [`Rule`] for each rule of `hqc.pest`.
#[derive(pest_derive::Parser)]
#[grammar = "../hqc.pest"]
pub struct Grammar;
