//! What happens to a graph between the source and the plan.

pub mod autodiff;
pub mod fold;
pub mod fuse;
pub mod loss;
pub mod optimiser;
pub mod parts;
pub mod readout;
pub mod rewrite;
pub mod simplify;
