//! The plan of an entry: which kernels run in which order on which memory. It needs no device to be made, and its
//! bytes are exact.

mod conv;
mod copy;
mod element_wise;
mod gemm;
mod groups;
mod index;
mod lower;
mod memory;
mod reduce;
mod rows;
mod slots;

use serde::{Deserialize, Serialize};

pub use conv::ConvShape;
pub use element_wise::capabilities;
pub use gemm::{Product, Tiling};
pub use groups::Groups;
pub use index::Index;
pub(crate) use lower::merge;
pub use lower::{Lower, LowerError, LowerOf, Lowering, Operand};
pub use memory::{Buffer, KernelBuffers, Memory, Port, Sharing, Storage, memory_of_kernels};
pub use slots::{Assignment, Lifetime, assign};

use crate::graph::NamedFusion;
use crate::wgsl::Kernel;

/// One run of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The node that it computes.
    pub node: String,
    /// Its number in [`Plan::kernels`].
    pub kernel: usize,
    /// A buffer for each of the kernel's bindings, as numbers in [`Memory::buffers`].
    pub buffers: Vec<usize>,
    /// The grid.
    pub groups: Groups,
}

/// What a GPU executes for one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The nodes that were joined, in the order in which they run.
    pub fusions: Vec<NamedFusion>,
    /// The compute programs, each once.
    pub kernels: Vec<Kernel>,
    /// The runs, in order.
    pub dispatches: Vec<Dispatch>,
    /// The memory that they use; its moments are dispatches.
    #[serde(flatten)]
    pub memory: Memory,
}
