//! What a run shows: tables, curves, pictures.
//!
//! Nothing here computes a result; it draws what `train` recorded.

pub mod curves;
pub mod pictures;
pub mod printable;
pub mod table;
