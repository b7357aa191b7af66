//! What leaves hqcc: the recipe beside a network, and tensors for other programs.

mod recipe;
mod tensors;

pub use recipe::{Facts, Recipe};
pub use tensors::{Exported, write};
