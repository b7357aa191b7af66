//! The GPU executor against the CPU executor, the plan's memory, and kernels for every back end.
//!
//! Without an adapter the cases that need one say so and pass, unless `HQCC_REQUIRE_GPU=1`.

mod common;
mod emit;
mod engine;
mod fusion;
mod memory;
mod models;
mod ops;
mod tiles;
mod training;
