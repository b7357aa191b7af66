//! What a circuit is: gates and their unitaries, the gates of an ansatz in time order, and how they are drawn and written.

pub mod ansatz;
pub mod gates;
pub mod picture;
pub mod qasm;
pub mod unitary;
