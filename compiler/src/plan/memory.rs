//! The memory of a graph's values: which buffer each has, and which buffers share a slot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::slots::{Lifetime, assign};
use crate::fault::Fault;
use crate::graph::{Constant, Fusion, Graph, NodeId, Parameter, is_leaf};
use crate::tensor_type::TensorType;

/// The planner's name in faults.
const PASS: &str = "memory";

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
        /// Its number in [`Memory::slots`].
        slot: usize,
    },
}

/// A tensor in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// The node whose output it holds, with a suffix for scratch memory of a kernel.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Where its memory comes from.
    pub storage: Storage,
    /// The first kernel that needs it.
    pub first: usize,
    /// The last kernel that needs it; the number of kernels if the host reads it.
    pub last: usize,
}

/// A tensor that the host reads or writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its number in [`Memory::buffers`].
    pub buffer: usize,
    /// Its type.
    pub ty: TensorType,
}

/// The memory of an entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// All tensors in memory.
    pub buffers: Vec<Buffer>,
    /// Sizes of shared memory in bytes.
    pub slots: Vec<u64>,
    /// What the host hands in, by name.
    pub inputs: BTreeMap<String, Port>,
    /// What the host reads, by name.
    pub outputs: BTreeMap<String, Port>,
    /// What is kept between steps, by name.
    pub states: BTreeMap<String, Port>,
}

impl Memory {
    /// Bytes of everything kept between steps.
    pub fn state_bytes(&self) -> u64 {
        self.states
            .values()
            .map(|port| self.buffers[port.buffer].bytes)
            .sum()
    }

    /// Bytes of inputs and constants, which the entry does not share.
    pub fn own_bytes(&self) -> u64 {
        let own = self.buffers.iter().filter(|buffer| {
            matches!(
                buffer.storage,
                Storage::Input { .. } | Storage::Constant { .. }
            )
        });
        own.map(|buffer| buffer.bytes).sum()
    }

    /// Bytes of inputs, constants and shared memory: all that the entry needs besides the state.
    pub fn working_bytes(&self) -> u64 {
        self.slots.iter().sum::<u64>() + self.own_bytes()
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

/// Whether values use the same memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A view is where its input is, and values of different moments share slots.
    Shared,
    /// Every value has memory of its own, and a view is a copy: for an executor that others are compared with.
    Separate,
}

/// Gives values their buffers, is told which kernels use them, and then finds the slots.
///
/// The result of a node that overwrites state is that state's buffer. A view is where its input is, unless that is state
/// which changes before the view is last read: then the view is a copy.
#[derive(Debug)]
pub(super) struct MemoryPlanner {
    memory: Memory,
    buffer_of: Vec<Option<usize>>,
    sharing: Sharing,
    element_bytes: u64,
}

impl MemoryPlanner {
    /// The buffers of a graph's leaves and of the results of its kernels, whose elements take `element_bytes` each.
    ///
    /// # Errors
    /// A fault of hqcc: a kernel reads a node without a buffer, or overwrites a node that is not state.
    pub fn new(
        graph: &Graph,
        fusions: &[Fusion],
        sharing: Sharing,
        element_bytes: u64,
    ) -> Result<Self, Fault> {
        let mut planner = Self {
            memory: Memory::default(),
            buffer_of: vec![None; graph.capacity()],
            sharing,
            element_bytes,
        };
        for id in graph.ids().filter(|&id| is_leaf(graph, id)) {
            planner.add_leaf(graph, id);
        }
        let changes = changes(graph, fusions);
        let last_reads = last_reads(graph, fusions);
        for id in graph.outputs().values().filter(|id| is_leaf(graph, **id)) {
            if changes[id.index()].is_some() {
                return Err(Fault::new(
                    PASS,
                    graph.name(*id),
                    "an output that stays as it is",
                ));
            }
        }
        for (at, fusion) in fusions.iter().enumerate() {
            let result = fusion.result();
            let read = |planner: &Self, id: NodeId| planner.buffer_of(graph, id);
            let buffer = if fusion.is_view(graph) {
                let source = read(&planner, fusion.inputs()[0])?;
                let changed = planner.state_at(graph, source, &changes);
                let copied = changed
                    .is_some_and(|change| at < change && change < last_reads[result.index()]);
                (!copied && sharing == Sharing::Shared).then_some(source)
            } else if let Some(&state) = fusion.overwritten(graph).first() {
                Some(read(&planner, state)?)
            } else {
                None
            };
            for state in fusion.overwritten(graph) {
                let buffer = read(&planner, state)?;
                if !matches!(
                    planner.memory.buffers[buffer].storage,
                    Storage::State { .. }
                ) {
                    let what = format!("`{}`, which it overwrites, to be state", graph.name(state));
                    return Err(Fault::new(PASS, graph.name(result), what));
                }
            }
            for &input in fusion.inputs() {
                read(&planner, input)?;
            }
            let buffer = buffer.unwrap_or_else(|| {
                let elements = graph.ty(result).elements();
                planner.add(graph.name(result).to_owned(), elements, unassigned())
            });
            planner.buffer_of[result.index()] = Some(buffer);
        }
        Ok(planner)
    }

    /// When the state in a buffer changes.
    fn state_at(&self, graph: &Graph, buffer: usize, changes: &[Option<usize>]) -> Option<usize> {
        match &self.memory.buffers[buffer].storage {
            Storage::State { name } => changes[graph.find(name)?.index()],
            _ => None,
        }
    }

    fn add_leaf(&mut self, graph: &Graph, id: NodeId) {
        let node = graph.node(id);
        let name = node.name.clone();
        let storage = if graph.op::<Parameter>(id).is_some() {
            Storage::State { name }
        } else if let Some(constant) = graph.op::<Constant>(id) {
            Storage::Constant {
                value: constant.value,
            }
        } else {
            Storage::Input { name }
        };
        let buffer = self.add(node.name.clone(), node.ty.elements(), storage.clone());
        let port = Port {
            buffer,
            ty: node.ty.clone(),
        };
        match storage {
            Storage::State { name } => self.memory.states.insert(name, port),
            Storage::Input { name } => self.memory.inputs.insert(name, port),
            Storage::Constant { .. } | Storage::Slot { .. } => None,
        };
        self.buffer_of[id.index()] = Some(buffer);
    }

    fn add(&mut self, name: String, elements: usize, storage: Storage) -> usize {
        self.memory.buffers.push(Buffer {
            name,
            // No binding may be empty.
            bytes: elements.max(1) as u64 * self.element_bytes,
            storage,
            first: usize::MAX,
            last: 0,
        });
        self.memory.buffers.len() - 1
    }

    /// Memory of so many elements that one kernel keeps aside for the next.
    pub fn scratch(&mut self, name: String, elements: usize) -> usize {
        self.add(name, elements, unassigned())
    }

    /// The buffer of a value.
    ///
    /// # Errors
    /// A fault of hqcc: no kernel writes it.
    pub fn buffer_of(&self, graph: &Graph, id: NodeId) -> Result<usize, Fault> {
        let known = self.buffer_of.get(id.index()).copied().flatten();
        known.ok_or_else(|| Fault::new(PASS, graph.name(id), "a kernel that writes it"))
    }

    /// Whether a fusion moves nothing: a view that is where its input is.
    ///
    /// # Errors
    /// As [`MemoryPlanner::buffer_of`].
    pub fn is_in_place(&self, graph: &Graph, fusion: &Fusion) -> Result<bool, Fault> {
        let view = fusion.is_view(graph);
        Ok(view
            && self.buffer_of(graph, fusion.result())?
                == self.buffer_of(graph, fusion.inputs()[0])?)
    }

    /// Notes that kernel number `kernel` reads or writes a buffer.
    pub fn used(&mut self, buffer: usize, kernel: usize) {
        let buffer = &mut self.memory.buffers[buffer];
        buffer.first = buffer.first.min(kernel);
        buffer.last = buffer.last.max(kernel);
    }

    /// The memory, after all uses by the `kernels` kernels were noted. The host reads outputs after the last one.
    ///
    /// # Errors
    /// A fault of hqcc: an output that no kernel writes.
    pub fn finish(mut self, graph: &Graph, kernels: usize) -> Result<Memory, Fault> {
        for (name, &id) in graph.outputs() {
            let buffer = self.buffer_of(graph, id)?;
            self.memory.buffers[buffer].last = kernels;
            let ty = graph.ty(id).clone();
            self.memory
                .outputs
                .insert(name.clone(), Port { buffer, ty });
        }
        let mut memory = self.memory;
        let shared: Vec<usize> = (0..memory.buffers.len())
            .filter(|&at| matches!(memory.buffers[at].storage, Storage::Slot { .. }))
            .collect();
        let lifetimes = shared.iter().map(|&at| {
            let Buffer {
                bytes, first, last, ..
            } = memory.buffers[at];
            match self.sharing {
                Sharing::Shared => Lifetime {
                    bytes,
                    first: first.min(last),
                    last,
                },
                Sharing::Separate => Lifetime {
                    bytes,
                    first: 0,
                    last: kernels,
                },
            }
        });
        let assignment = assign(&lifetimes.collect::<Vec<_>>());
        for (&at, &slot) in shared.iter().zip(&assignment.slot_of) {
            memory.buffers[at].storage = Storage::Slot { slot };
        }
        memory.slots = assignment.slots;
        Ok(memory)
    }
}

/// The buffers of a kernel, as numbers in [`Memory::buffers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelBuffers {
    /// What it reads, in the order of [`Fusion::inputs`].
    pub inputs: Vec<usize>,
    /// What it writes.
    pub output: usize,
}

/// The memory of kernels that need none for themselves alone. `None` stands for a view that is where its input is.
///
/// # Errors
/// A fault of hqcc: a kernel reads a node without a buffer, or overwrites a node that is not state.
pub fn memory_of_kernels(
    graph: &Graph,
    fusions: &[Fusion],
    sharing: Sharing,
    element_bytes: u64,
) -> Result<(Vec<Option<KernelBuffers>>, Memory), Fault> {
    let mut planner = MemoryPlanner::new(graph, fusions, sharing, element_bytes)?;
    let mut kernels = Vec::with_capacity(fusions.len());
    for (number, fusion) in fusions.iter().enumerate() {
        if planner.is_in_place(graph, fusion)? {
            kernels.push(None);
            continue;
        }
        let inputs = fusion.inputs().iter();
        let inputs = inputs.map(|&id| planner.buffer_of(graph, id));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let output = planner.buffer_of(graph, fusion.result())?;
        for &buffer in inputs.iter().chain([&output]) {
            planner.used(buffer, number);
        }
        kernels.push(Some(KernelBuffers { inputs, output }));
    }
    let memory = planner.finish(graph, fusions.len())?;
    Ok((kernels, memory))
}

/// A slot that is chosen once all lifetimes are known.
fn unassigned() -> Storage {
    Storage::Slot { slot: usize::MAX }
}

/// The kernel that overwrites each state.
fn changes(graph: &Graph, fusions: &[Fusion]) -> Vec<Option<usize>> {
    let mut changes = vec![None; graph.capacity()];
    for (at, fusion) in fusions.iter().enumerate() {
        for state in fusion.overwritten(graph) {
            changes[state.index()] = Some(at);
        }
    }
    changes
}

/// The last kernel that reads each value, itself or through views; the number of kernels for what the host reads.
fn last_reads(graph: &Graph, fusions: &[Fusion]) -> Vec<usize> {
    let mut last = vec![0; graph.capacity()];
    for id in graph.outputs().values() {
        last[id.index()] = fusions.len();
    }
    for (at, fusion) in fusions.iter().enumerate().rev() {
        let read = match fusion.is_view(graph) {
            true => at.max(last[fusion.result().index()]),
            false => at,
        };
        for input in fusion.inputs() {
            last[input.index()] = last[input.index()].max(read);
        }
    }
    last
}
