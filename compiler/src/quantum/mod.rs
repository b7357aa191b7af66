//! What a circuit is: gates, their matrices, the list of gates an ansatz stands for, and how it is drawn and written.

pub mod ansatz;
pub mod gates;
pub mod picture;
pub mod qasm;
