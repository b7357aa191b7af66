//! The `hqcc` binary.

fn main() {}
