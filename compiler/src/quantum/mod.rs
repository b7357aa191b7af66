//! What a circuit is: gates, their matrices, and the list of gates an ansatz stands for.

pub mod ansatz;
pub mod gates;
