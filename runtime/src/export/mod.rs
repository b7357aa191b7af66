//! What leaves hqcc: the recipe beside a network, and tensors for other programs.

mod model;
mod recipe;
mod tensors;

pub use model::{Formats, export};
pub use recipe::{Facts, Recipe};
pub use tensors::{Exported, write};
