//! Runs and trains hqcc programs.

pub mod cpu;
pub mod random;
pub mod tensor;

pub use tensor::Tensor;
