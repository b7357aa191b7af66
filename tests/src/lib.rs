//! What the tests share.

pub mod tolerance;
