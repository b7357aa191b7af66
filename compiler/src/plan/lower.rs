//! How an op becomes dispatches, and the walk over a graph that asks each op for its own.

use std::collections::HashMap;

use serde_json::Value;

use super::memory::{Lifetime, assign};
use super::{Buffer, Dispatch, Groups, Plan, Port, Storage};
use crate::graph::{Constant, Graph, Input, NodeId, Op, Parameter};
use crate::tensor_type::{ShapeError, TensorType};
use crate::wgsl::{Access, Kernel, KernelError, reflect, render};

/// Why a graph has no plan.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LowerError {
    /// An op without a kernel.
    #[error("node `{node}`: op `{op}` has no kernel")]
    NoKernel {
        /// The node.
        node: String,
        /// Its op.
        op: String,
    },
    /// A fault in a kernel's text.
    #[error("node `{node}`: {source}")]
    Kernel {
        /// The node.
        node: String,
        /// The fault.
        source: Box<KernelError>,
    },
    /// Types that an op's kernel cannot take.
    #[error("node `{node}`: {source}")]
    Shape {
        /// The node.
        node: String,
        /// What is wrong.
        source: ShapeError,
    },
    /// A dispatch whose operands do not match the kernel's bindings.
    #[error("node `{node}`: kernel `{kernel}` binds {binding}")]
    Binding {
        /// The node.
        node: String,
        /// The kernel.
        kernel: String,
        /// What does not match.
        binding: String,
    },
    /// A tensor that no 32-bit index reaches.
    #[error("`{node}` has {elements} elements; a kernel can index at most 4294967295")]
    TooLarge {
        /// The node.
        node: String,
        /// Its size.
        elements: usize,
    },
    /// Nodes that wait for each other.
    #[error("node `{node}` overwrites what it waits for")]
    Cycle {
        /// One of them.
        node: String,
    },
}

/// A buffer as a node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// An input of the node.
    Input(usize),
    /// The node's output.
    Output,
    /// Memory for this node alone, from [`Lowering::scratch`].
    Scratch(usize),
}

/// The kernels of an op.
pub trait Lower: Op {
    /// Adds the dispatches that compute the output on a GPU. An op with a [scalar form](Op::scalar) needs no line for it.
    ///
    /// # Errors
    /// The op has no kernel, or none for these inputs.
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        match self.scalar(&lowering.input_types()) {
            Some(scalar) => lowering.scalar(scalar),
            None => Err(lowering.no_kernel()),
        }
    }
}

/// Finds the kernels of an op, in a table that the plan does not know.
pub type LowerOf = fn(&dyn Op) -> Option<&dyn Lower>;

#[derive(Default)]
struct Builder {
    plan: Plan,
    kernel_of: HashMap<(String, String), usize>,
    buffer_of: HashMap<NodeId, usize>,
}

impl Builder {
    fn buffer(&mut self, name: String, elements: usize, storage: Storage) -> usize {
        // No binding may be empty.
        let bytes = elements.max(1) as u64 * 4;
        self.plan.buffers.push(Buffer {
            name,
            bytes,
            storage,
            first: usize::MAX,
            last: 0,
        });
        self.plan.buffers.len() - 1
    }
}

/// What an op adds its dispatches with.
pub struct Lowering<'a> {
    builder: &'a mut Builder,
    node: &'a str,
    op: &'a str,
    inputs: Vec<(usize, TensorType)>,
    output: (usize, TensorType),
    overwrites: &'static [usize],
    scratch: Vec<usize>,
}

impl Lowering<'_> {
    /// The type of an input.
    pub fn input(&self, at: usize) -> &TensorType {
        &self.inputs[at].1
    }

    /// The types of all inputs.
    pub fn input_types(&self) -> Vec<TensorType> {
        self.inputs.iter().map(|(_, ty)| ty.clone()).collect()
    }

    /// The type of the output.
    pub fn output(&self) -> &TensorType {
        &self.output.1
    }

    /// The op's name.
    pub fn op(&self) -> &str {
        self.op
    }

    /// Memory of so many elements, for this node alone.
    pub fn scratch(&mut self, elements: usize) -> Operand {
        let name = format!("{}#{}", self.node, self.scratch.len());
        // The slot is chosen once all lifetimes are known.
        let at = self
            .builder
            .buffer(name, elements, Storage::Slot { slot: usize::MAX });
        self.scratch.push(at);
        Operand::Scratch(self.scratch.len() - 1)
    }

    /// The error for an op without a kernel.
    pub fn no_kernel(&self) -> LowerError {
        LowerError::NoKernel {
            node: self.node.to_owned(),
            op: self.op.to_owned(),
        }
    }

    /// Puts the node's name on an error about types.
    pub fn shape_error(&self, source: ShapeError) -> LowerError {
        LowerError::Shape {
            node: self.node.to_owned(),
            source,
        }
    }

    /// Puts the node's name on an error about a kernel's text.
    pub(super) fn kernel_error(&self, source: KernelError) -> LowerError {
        LowerError::Kernel {
            node: self.node.to_owned(),
            source: Box::new(source),
        }
    }

    /// Runs the kernel that the template `name` gives with these constants, on operands named as its bindings are.
    ///
    /// # Errors
    /// A template that gives no valid kernel, operands that do not match its bindings, or a kernel that writes an
    /// input which the op does not overwrite.
    pub fn dispatch(
        &mut self,
        name: &str,
        constants: Value,
        operands: &[(&str, Operand)],
        groups: Groups,
    ) -> Result<(), LowerError> {
        let kernel = self.kernel(name, constants)?;
        let refuse = |binding: String| LowerError::Binding {
            node: self.node.to_owned(),
            kernel: name.to_owned(),
            binding,
        };
        let bindings = &self.builder.plan.kernels[kernel].bindings;
        let mut buffers = Vec::with_capacity(bindings.len());
        for binding in bindings {
            let Some((_, operand)) = operands.iter().find(|(name, _)| *name == binding.name) else {
                return Err(refuse(format!("`{}`, which is not given", binding.name)));
            };
            let (at, writable) = match *operand {
                Operand::Input(at) => (self.inputs[at].0, self.overwrites.contains(&at)),
                Operand::Output => (self.output.0, true),
                Operand::Scratch(at) => (self.scratch[at], true),
            };
            if binding.access == Access::ReadWrite && !writable {
                return Err(refuse(format!(
                    "`{}` for writing, which the op does not overwrite",
                    binding.name
                )));
            }
            buffers.push(at);
        }
        if buffers.len() != operands.len() {
            return Err(refuse(format!(
                "{} buffers, {} are given",
                buffers.len(),
                operands.len()
            )));
        }
        let now = self.builder.plan.dispatches.len();
        for &at in &buffers {
            let buffer = &mut self.builder.plan.buffers[at];
            buffer.first = buffer.first.min(now);
            buffer.last = buffer.last.max(now);
        }
        self.builder.plan.dispatches.push(Dispatch {
            node: self.node.to_owned(),
            kernel,
            buffers,
            groups,
        });
        Ok(())
    }

    fn kernel(&mut self, name: &str, constants: Value) -> Result<usize, LowerError> {
        let key = (name.to_owned(), constants.to_string());
        if let Some(&at) = self.builder.kernel_of.get(&key) {
            return Ok(at);
        }
        let wgsl = render(name, &constants).map_err(|error| self.kernel_error(error))?;
        let short = name.rsplit('/').next().unwrap_or(name);
        let kernel: Kernel = reflect(short, wgsl).map_err(|error| self.kernel_error(error))?;
        self.builder.plan.kernels.push(kernel);
        let at = self.builder.plan.kernels.len() - 1;
        self.builder.kernel_of.insert(key, at);
        Ok(at)
    }
}

/// The constants of both; where both have one, that of `base`.
pub(crate) fn merge(mut base: Value, more: &Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        for (key, value) in more {
            base.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    base
}

impl Plan {
    /// The plan of a graph, whose ops find their kernels through `lower_of`.
    ///
    /// # Errors
    /// An op without a kernel, or a tensor too large to index.
    pub fn new(graph: &Graph, lower_of: LowerOf) -> Result<Self, LowerError> {
        let order = graph.schedule().map_err(|left| LowerError::Cycle {
            node: left
                .first()
                .map(|&id| graph.name(id).to_owned())
                .unwrap_or_default(),
        })?;
        let mut builder = Builder::default();
        for id in order {
            lower_node(&mut builder, graph, id, lower_of)?;
        }
        let mut plan = builder.plan;
        let end = plan.dispatches.len();
        for (name, id) in graph.outputs() {
            let buffer = builder.buffer_of[id];
            plan.buffers[buffer].last = end;
            plan.outputs.insert(
                name.clone(),
                Port {
                    buffer,
                    ty: graph.ty(*id).clone(),
                },
            );
        }
        share_memory(&mut plan);
        Ok(plan)
    }
}

fn lower_node(
    builder: &mut Builder,
    graph: &Graph,
    id: NodeId,
    lower_of: LowerOf,
) -> Result<(), LowerError> {
    let node = graph.node(id);
    let elements = node.ty.elements();
    if elements > u32::MAX as usize {
        return Err(LowerError::TooLarge {
            node: node.name.clone(),
            elements,
        });
    }
    let inputs = graph.inputs(id);
    let leaf = if graph.op::<Parameter>(id).is_some() {
        Some(Storage::State {
            name: node.name.clone(),
        })
    } else if graph.op::<Input>(id).is_some() {
        Some(Storage::Input {
            name: node.name.clone(),
        })
    } else {
        graph.op::<Constant>(id).map(|constant| Storage::Constant {
            value: constant.value,
        })
    };
    if let Some(storage) = leaf {
        let at = builder.buffer(node.name.clone(), elements, storage.clone());
        let port = Port {
            buffer: at,
            ty: node.ty.clone(),
        };
        match storage {
            Storage::State { name } => builder.plan.states.insert(name, port),
            Storage::Input { name } => builder.plan.inputs.insert(name, port),
            Storage::Constant { .. } | Storage::Slot { .. } => None,
        };
        builder.buffer_of.insert(id, at);
        return Ok(());
    }
    let overwrites = node.op.overwrites();
    let in_place = if node.op.is_view() {
        Some(0)
    } else {
        overwrites.first().copied()
    };
    let output = match in_place.and_then(|at| inputs.get(at)) {
        // A view of state is a copy: the state may change before the view is read.
        Some(source) if !(node.op.is_view() && is_state(builder, *source)) => {
            builder.buffer_of[source]
        }
        _ => builder.buffer(
            node.name.clone(),
            elements,
            Storage::Slot { slot: usize::MAX },
        ),
    };
    builder.buffer_of.insert(id, output);
    let types: Vec<_> = inputs
        .iter()
        .map(|input| (builder.buffer_of[input], graph.ty(*input).clone()))
        .collect();
    let copies = node.op.is_view() && output != types[0].0;
    if node.op.is_view() && !copies {
        return Ok(());
    }
    let mut lowering = Lowering {
        builder,
        node: &node.name,
        op: node.op.name(),
        inputs: types,
        output: (output, node.ty.clone()),
        overwrites,
        scratch: Vec::new(),
    };
    if copies {
        lowering.copy(elements)
    } else {
        let op = lower_of(&*node.op).ok_or_else(|| lowering.no_kernel())?;
        op.lower(&mut lowering)
    }
}

fn is_state(builder: &Builder, source: NodeId) -> bool {
    matches!(
        builder.plan.buffers[builder.buffer_of[&source]].storage,
        Storage::State { .. }
    )
}

/// Gives every buffer without memory of its own a slot.
fn share_memory(plan: &mut Plan) {
    let temporary: Vec<usize> = (0..plan.buffers.len())
        .filter(|&at| matches!(plan.buffers[at].storage, Storage::Slot { .. }))
        .collect();
    let lifetimes: Vec<_> = temporary
        .iter()
        .map(|&at| {
            let Buffer {
                bytes, first, last, ..
            } = plan.buffers[at];
            Lifetime {
                bytes,
                first: first.min(last),
                last,
            }
        })
        .collect();
    let assignment = assign(&lifetimes);
    for (&at, &slot) in temporary.iter().zip(&assignment.slot_of) {
        plan.buffers[at].storage = Storage::Slot { slot };
    }
    plan.slots = assignment.slots;
}
