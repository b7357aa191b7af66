//! From `.hqc` source text to networks and programs: kernels, buffers and schedule as data.
//!
//! [`compile`] is the door. It reads a file through a [`World`], checks it, and gives a [`Compiled`], which hands out the
//! network and every program that is made of it.
//!
//! ```
//! use hqcc_compiler::{MemoryWorld, compile};
//!
//! let text = "model M { input ct: [1, H, W]  head = conv(ct, 1)  output head }
//!             train { model = M(), loss = bce }";
//! let mut world = MemoryWorld::default();
//! world.files.insert("m.hqc".to_owned(), text.to_owned());
//! let compiled = compile(&world, "m.hqc", &["train.batch=2".to_owned()])
//!     .unwrap_or_else(|errors| panic!("{}", errors[0]));
//! let step = compiled.train(compiled.size(2)).expect("a training step");
//! assert!(step.outputs().iter().any(|(name, _)| name == "loss"));
//! ```
//!
//! The crate is pure: it reads no file, asks no clock, touches no GPU and prints nothing. The same source gives the
//! same bytes.
//!
//! What is documented here is meant for users. The other modules are the inside of hqcc: its executors and its tests
//! reach them, they follow no version, and they are left out of the documentation.

#[doc(hidden)]
pub mod cases;
#[doc(hidden)]
pub mod codes;
#[doc(hidden)]
pub mod compile;
#[doc(hidden)]
pub mod diagnostic;
#[doc(hidden)]
pub mod dot;
#[doc(hidden)]
pub mod elaborate;
pub mod experiment;
#[doc(hidden)]
pub mod fault;
#[doc(hidden)]
pub mod generation;
#[doc(hidden)]
pub mod graph;
#[doc(hidden)]
pub mod measures;
#[doc(hidden)]
pub mod names;
#[doc(hidden)]
pub mod onnx;
#[doc(hidden)]
pub mod ops;
#[doc(hidden)]
pub mod passes;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod quantum;
#[doc(hidden)]
pub mod reference;
#[doc(hidden)]
pub mod setting;
#[doc(hidden)]
pub mod steps;
#[doc(hidden)]
pub mod summary;
#[doc(hidden)]
pub mod syntax;
#[doc(hidden)]
pub mod tensor_type;
#[doc(hidden)]
pub mod wgsl;

#[doc(inline)]
pub use compile::{Compiled, compile, compile_for, name_lists};
#[doc(inline)]
pub use diagnostic::{Diagnostic, Label, Severity};
#[doc(inline)]
pub use elaborate::{Copied, Network, Size, Study};
#[doc(inline)]
pub use names::NameMap;
#[doc(inline)]
pub use program::{Entry, Program, StateTensor};
#[doc(inline)]
pub use syntax::format;
#[doc(inline)]
pub use syntax::span::{MemoryWorld, Span, World};
#[doc(inline)]
pub use tensor_type::TensorType;
