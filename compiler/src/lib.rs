//! From `.hqc` source text to a `Program`.

pub mod diagnostic;
pub mod syntax;
