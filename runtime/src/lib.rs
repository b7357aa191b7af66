//! Runs and trains hqcc programs.

pub mod random;
