//! How an op becomes dispatches, and the walk over a graph that asks each op for its own.

use std::collections::HashMap;

use serde_json::Value;

use super::memory::{MemoryPlanner, Sharing};
use super::{Dispatch, Groups, Plan};
use crate::fault::Fault;
use crate::graph::{Fusion, Graph, Node, Op, is_leaf};
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
    /// A fault of hqcc.
    #[error(transparent)]
    Fault(#[from] Fault),
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

/// Bytes of an element on the device.
const ELEMENT: u64 = 4;

struct Builder {
    kernels: Vec<Kernel>,
    kernel_of: HashMap<(String, String), usize>,
    dispatches: Vec<Dispatch>,
    memory: MemoryPlanner,
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
        let at = self.builder.memory.scratch(name, elements);
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

    /// A fault of hqcc at this node.
    pub(super) fn fault(&self, expected: &str) -> LowerError {
        Fault::new("lower", self.node, expected).into()
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
        let bindings = &self.builder.kernels[kernel].bindings;
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
        let now = self.builder.dispatches.len();
        for &buffer in &buffers {
            self.builder.memory.used(buffer, now);
        }
        self.builder.dispatches.push(Dispatch {
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
        self.builder.kernels.push(kernel);
        let at = self.builder.kernels.len() - 1;
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
    /// The plan of a graph whose nodes run as `fusions`; ops find their kernels through `lower_of`.
    ///
    /// # Errors
    /// An op without a kernel, or a tensor too large to index.
    pub fn new(graph: &Graph, fusions: &[Fusion], lower_of: LowerOf) -> Result<Self, LowerError> {
        for id in graph.ids().filter(|&id| is_leaf(graph, id)) {
            check_size(graph.node(id))?;
        }
        let mut builder = Builder {
            kernels: Vec::new(),
            kernel_of: HashMap::new(),
            dispatches: Vec::new(),
            memory: MemoryPlanner::new(graph, fusions, Sharing::Shared, ELEMENT)?,
        };
        for fusion in fusions {
            lower_fusion(&mut builder, graph, fusion, lower_of)?;
        }
        let joined = fusions.iter().filter(|fusion| fusion.links().len() > 1);
        Ok(Self {
            fusions: joined.map(|fusion| fusion.named(graph)).collect(),
            memory: builder.memory.finish(graph, builder.dispatches.len())?,
            kernels: builder.kernels,
            dispatches: builder.dispatches,
        })
    }
}

fn check_size(node: &Node) -> Result<(), LowerError> {
    let elements = node.ty.elements();
    if elements > u32::MAX as usize {
        return Err(LowerError::TooLarge {
            node: node.name.clone(),
            elements,
        });
    }
    Ok(())
}

fn lower_fusion(
    builder: &mut Builder,
    graph: &Graph,
    fusion: &Fusion,
    lower_of: LowerOf,
) -> Result<(), LowerError> {
    let node = graph.node(fusion.result());
    check_size(node)?;
    if builder.memory.is_in_place(graph, fusion)? {
        return Ok(());
    }
    let output = builder.memory.buffer_of(graph, fusion.result())?;
    let mut inputs = Vec::with_capacity(fusion.inputs().len());
    for &input in fusion.inputs() {
        inputs.push((
            builder.memory.buffer_of(graph, input)?,
            graph.ty(input).clone(),
        ));
    }
    let mut lowering = Lowering {
        builder,
        node: &node.name,
        op: node.op.name(),
        inputs,
        output: (output, node.ty.clone()),
        overwrites: node.op.overwrites(),
        scratch: Vec::new(),
    };
    match fusion.single(graph) {
        None => lowering.fusion(graph, fusion),
        Some(op) if op.is_view() => lowering.copy(node.ty.elements()),
        Some(op) => {
            let op = lower_of(op).ok_or_else(|| lowering.no_kernel())?;
            op.lower(&mut lowering)
        }
    }
}
