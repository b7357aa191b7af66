//! From `.hqc` source text to a `Program`.
