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

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use conv::ConvShape;
pub(crate) use element_wise::{Argument, Step};
pub use gemm::{Product, Tiling};
pub use groups::Groups;
pub use index::Index;
pub(crate) use lower::merge;
pub use lower::{Lower, LowerError, LowerOf, Lowering, Operand};
pub use memory::{Assignment, Lifetime, assign};

use crate::tensor_type::TensorType;
use crate::wgsl::Kernel;

/// Where a buffer's memory comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Storage {
    /// Kept between steps and shared by all entries under this name.
    State {
        /// The parameter's name.
        name: String,
    },
    /// Handed in by the host at each step.
    Input {
        /// The input's name.
        name: String,
    },
    /// Filled once: every element is `value`.
    Constant {
        /// The value of every element.
        value: f64,
    },
    /// Memory that buffers of other moments share.
    Slot {
        /// Its number in [`Plan::slots`].
        slot: usize,
    },
}

/// A tensor in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// The node that it holds the output of, with a suffix for what a kernel keeps aside.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Where its memory comes from.
    pub storage: Storage,
    /// The first dispatch that needs it.
    pub first: usize,
    /// The last dispatch that needs it; the number of dispatches if the host reads it.
    pub last: usize,
}

/// One run of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// The node that it computes.
    pub node: String,
    /// Its number in [`Plan::kernels`].
    pub kernel: usize,
    /// A buffer for each of the kernel's bindings, as numbers in [`Plan::buffers`].
    pub buffers: Vec<usize>,
    /// The grid.
    pub groups: Groups,
}

/// A tensor that the host reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its number in [`Plan::buffers`].
    pub buffer: usize,
    /// Its type.
    pub ty: TensorType,
}

/// What a GPU executes for one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The compute programs, each once.
    pub kernels: Vec<Kernel>,
    /// All tensors in memory.
    pub buffers: Vec<Buffer>,
    /// Sizes of shared memory in bytes.
    pub slots: Vec<u64>,
    /// The runs, in order.
    pub dispatches: Vec<Dispatch>,
    /// What the host hands in, by name.
    pub inputs: BTreeMap<String, Port>,
    /// What the host reads, by name.
    pub outputs: BTreeMap<String, Port>,
    /// What is kept between steps, by name.
    pub states: BTreeMap<String, Port>,
}

impl Plan {
    /// Bytes of everything kept between steps.
    pub fn state_bytes(&self) -> u64 {
        self.states
            .values()
            .map(|port| self.buffers[port.buffer].bytes)
            .sum()
    }

    /// Bytes of inputs, constants and shared memory: what the entry needs besides the state.
    pub fn working_bytes(&self) -> u64 {
        let fixed = self.buffers.iter().filter(|buffer| {
            matches!(
                buffer.storage,
                Storage::Input { .. } | Storage::Constant { .. }
            )
        });
        self.slots.iter().sum::<u64>() + fixed.map(|buffer| buffer.bytes).sum::<u64>()
    }

    /// Bytes that the entry needs on its own.
    pub fn bytes(&self) -> u64 {
        self.state_bytes() + self.working_bytes()
    }

    /// The largest buffer that a kernel binds.
    pub fn largest(&self) -> Option<&Buffer> {
        self.buffers.iter().max_by_key(|buffer| buffer.bytes)
    }
}
