//! From `.hqc` source text to a [`Program`](program::Program): kernels, buffers and schedule as data.
//!
//! The crate is pure: it reads no file, asks no clock, touches no GPU and prints nothing. The same source gives the
//! same bytes.

pub mod cases;
pub mod codes;
pub mod diagnostic;
pub mod dot;
pub mod elaborate;
pub mod experiment;
pub mod fault;
pub mod generation;
pub mod graph;
pub mod measures;
pub mod names;
pub mod onnx;
pub mod ops;
pub mod passes;
pub mod plan;
pub mod program;
pub mod quantum;
pub mod reference;
pub mod setting;
pub mod steps;
pub mod summary;
pub mod syntax;
pub mod tensor_type;
pub mod wgsl;
