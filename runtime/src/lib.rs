//! Runs and trains hqcc programs.

pub mod bench;
pub mod cli;
pub mod cpu;
pub mod data;
pub mod durable;
pub mod executor;
pub mod export;
pub mod gpu;
pub mod random;
mod regular_file;
pub mod report;
pub mod tensor;
pub mod threads;
pub mod train;
pub mod weights;

pub use tensor::Tensor;
