//! ONNX files: every model of the repository has one, and it is well formed.
//!
//! The values that a file computes are compared elsewhere, with a runtime of its own; here the file is read back.

mod layers;
mod models;
mod wellformed;
