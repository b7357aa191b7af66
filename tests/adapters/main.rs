//! What annotations and rules do to the layers they name, in numbers.

mod conv_lora;
mod counts;
mod freeze;
mod machine;
mod start;
mod unused;
