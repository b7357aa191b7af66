//! Kernel texts: templates are rendered per shape, validated and reflected by naga, and written for other back ends.

mod emit;
mod reflect;
mod template;
mod validate;

pub use emit::{Target, emit};
pub use reflect::{Access, Binding, Kernel, reflect};
pub use template::{render, render_function, template_names};
pub use validate::{KernelError, validate};
