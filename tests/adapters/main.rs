//! What annotations and rules do to the layers they name, in numbers.

mod machine;
mod unused;
