//! Syntax tree to graph: evaluates settings, resolves names, calls each layer's shape rule, and
//! names every layer by a stable path.
//!
//! A layer's path is the name its statement binds (`e[2]`), below the path of the block that it belongs to
//! (`e[2].conv1`). A name bound inside a `repeat` carries the counters (`up[3]`). A call without a
//! name of its own has the name of its function (`e[2].relu`), with a number from the second on
//! (`e[2].relu2`). `@qpg` and rules outside the model name these paths.
//!
//! `value`, `project` and `state` are the ground: values, files, and what elaboration keeps. Each other file holds one
//! subject: what it adds to the `Elaborator`, or one of the functions below.

mod arguments;
mod call;
mod circuits;
mod evaluate;
mod fit;
mod functions;
mod layer;
mod load;
mod lookup;
mod names;
mod network;
mod project;
mod replay;
mod resolve;
mod rules;
mod sections;
mod state;
mod statements;
mod study;
mod value;

pub use fit::fitting;
pub use load::load;
pub use names::name_lists;
pub use network::{Network, apply, network};
pub use project::{Module, Project};
pub use resolve::{Copied, resolved};
pub use sections::{print_start, study};
pub use state::{Layer, PlacedRule, Size};
pub use study::Study;
