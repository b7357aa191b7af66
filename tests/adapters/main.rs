//! What annotations and rules do to the layers they name, in numbers.

mod freeze;
mod machine;
mod start;
mod unused;
