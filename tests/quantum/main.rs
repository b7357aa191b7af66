//! Circuits and generated weights: against golden vectors, by parameter shift, across paths.

mod executors;
mod gates;
mod golden;
mod kernels;
mod qasm;
