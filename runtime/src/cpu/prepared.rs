//! An entry made ready for the CPU: the kernels in order, each with its function and with the memory that it reads and
//! writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use hqcc_compiler::fault::Fault;
use hqcc_compiler::graph::{Capabilities, Fusion, Graph, Op};
use hqcc_compiler::passes::fuse::fuse;
use hqcc_compiler::plan::{
    Buffer, KernelBuffers, Memory, Port, Sharing, Storage, memory_of_kernels,
};
use hqcc_compiler::tensor_type::TensorType;

use super::call::{Call, Function};
use super::function;
use super::joint::{JointKernel, capabilities, joint_kernels};
use super::real::Real;
use crate::executor::ExecutorError;

/// How an executor runs a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nodes are joined where a kernel computes them at once, and values share memory.
    Fused,
    /// Every node runs by itself and every value has memory of its own: what others are compared with.
    Plain,
}

/// Where a value is while a step runs, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// A slot of working memory.
    Slot(usize),
    /// A state tensor of the entry.
    State(usize),
    /// A tensor handed in.
    Input(usize),
    /// A tensor of one value, filled when the entry is loaded.
    Constant(usize),
}

/// The memory of a running step.
pub struct Work<'a, T> {
    /// Working memory.
    pub slots: &'a mut [Vec<T>],
    /// The state tensors.
    pub state: &'a mut [Vec<T>],
    /// The tensors handed in.
    pub inputs: &'a [Vec<T>],
    /// The tensors of one value.
    pub constants: &'a [Vec<T>],
}

impl<T> Work<'_, T> {
    /// The values of a tensor.
    pub fn values(&self, location: Location, ty: &TensorType) -> &[T] {
        let memory = match location {
            Location::Slot(at) => &self.slots[at],
            Location::State(at) => &self.state[at],
            Location::Input(at) => &self.inputs[at],
            Location::Constant(at) => &self.constants[at],
        };
        &memory[..ty.elements()]
    }
}

/// One run of a function.
pub struct Invocation<T> {
    /// The ops that it computes, in order.
    ops: Vec<Arc<dyn Op>>,
    function: Function<T>,
    /// Names of the ops, for the profile.
    pub label: String,
    /// The node that the output belongs to, for errors.
    node: String,
    types: Vec<TensorType>,
    inputs: Vec<Location>,
    /// State tensors that are overwritten, and their positions among the inputs.
    overwritten: Vec<usize>,
    positions: &'static [usize],
    ty: TensorType,
    output: Location,
    /// Floating-point operations.
    pub flops: u64,
}

/// A graph ready to run.
pub struct Prepared<T> {
    /// What runs, in order.
    pub invocations: Vec<Invocation<T>>,
    /// Elements of each slot.
    pub slots: Vec<usize>,
    /// Names and types of the tensors handed in.
    pub inputs: Vec<(String, TensorType)>,
    /// Names and types of the state.
    pub state: Vec<(String, TensorType)>,
    /// Elements and values of the tensors of one value.
    pub constants: Vec<(usize, f64)>,
    /// Names, types and locations of the outputs.
    pub outputs: Vec<(String, TensorType, Location)>,
}

impl<T: Real> Prepared<T> {
    /// Prepares a graph.
    ///
    /// # Errors
    /// An op that this executor lacks, or a fault of hqcc.
    pub fn new(graph: &Graph, mode: Mode) -> Result<Self, ExecutorError> {
        let kernels = joint_kernels::<T>();
        let (able, sharing) = match mode {
            Mode::Fused => (capabilities(&kernels), Sharing::Shared),
            Mode::Plain => (Capabilities::default(), Sharing::Separate),
        };
        let fusions = fuse(graph, &able)?;
        let (kernels_memory, memory) =
            memory_of_kernels(graph, &fusions, sharing, size_of::<T>() as u64)?;
        let mut prepared = Self {
            invocations: Vec::with_capacity(kernels_memory.len()),
            slots: memory
                .slots
                .iter()
                .map(|&bytes| elements::<T>(bytes))
                .collect(),
            inputs: Vec::new(),
            state: Vec::new(),
            constants: Vec::new(),
            outputs: Vec::new(),
        };
        let locations = prepared.locate(&memory)?;
        for (fusion, buffers) in fusions.iter().zip(&kernels_memory) {
            // A view that is where its input is has nothing to run.
            let Some(buffers) = buffers else { continue };
            let function = function_of(graph, fusion, &able, &kernels)?;
            let invocation = invocation(graph, fusion, function, (buffers, &locations))?;
            prepared.invocations.push(invocation);
        }
        for (name, Port { buffer, ty }) in memory.outputs {
            prepared.outputs.push((name, ty, locations[buffer]));
        }
        Ok(prepared)
    }

    /// The location of each buffer; notes the tensors that no slot holds.
    fn locate(&mut self, memory: &Memory) -> Result<Vec<Location>, Fault> {
        let port = |ports: &BTreeMap<String, Port>, name: &String| {
            let port = ports
                .get(name)
                .ok_or_else(|| fault(name, "a type for its memory"))?;
            Ok::<_, Fault>((name.clone(), port.ty.clone()))
        };
        let locate = |buffer: &Buffer| {
            Ok(match &buffer.storage {
                Storage::Slot { slot } => Location::Slot(*slot),
                Storage::State { name } => {
                    self.state.push(port(&memory.states, name)?);
                    Location::State(self.state.len() - 1)
                }
                Storage::Input { name } => {
                    self.inputs.push(port(&memory.inputs, name)?);
                    Location::Input(self.inputs.len() - 1)
                }
                Storage::Constant { value } => {
                    self.constants.push((elements::<T>(buffer.bytes), *value));
                    Location::Constant(self.constants.len() - 1)
                }
            })
        };
        memory.buffers.iter().map(locate).collect()
    }
}

fn fault(node: &str, expected: &str) -> Fault {
    Fault::new("prepare for the CPU", node, expected)
}

fn elements<T>(bytes: u64) -> usize {
    bytes as usize / size_of::<T>()
}

/// The function of a kernel: that of its op, or that of the list of links.
fn function_of<T: Real>(
    graph: &Graph,
    fusion: &Fusion,
    able: &Capabilities,
    kernels: &[JointKernel<T>],
) -> Result<Function<T>, ExecutorError> {
    if let Some(op) = fusion.single(graph) {
        return function(op.name()).ok_or_else(|| ExecutorError::Unsupported {
            kind: "cpu",
            op: op.name().into(),
            node: graph.name(fusion.result()).to_owned(),
        });
    }
    let joint = able.pattern(graph, fusion).and_then(|at| kernels.get(at));
    let missing = || {
        fault(
            graph.name(fusion.result()),
            "a kernel for the nodes joined in it",
        )
    };
    Ok(joint.ok_or_else(missing)?.function)
}

fn invocation<T>(
    graph: &Graph,
    fusion: &Fusion,
    function: Function<T>,
    (buffers, locations): (&KernelBuffers, &[Location]),
) -> Result<Invocation<T>, Fault> {
    let node = graph.node(fusion.result());
    let ops = fusion.ops(graph);
    let names: Vec<_> = ops.iter().map(|op| op.name()).collect();
    let links = fusion.links().iter().map(|link| link.node);
    let flops = links.map(|id| {
        graph
            .node(id)
            .op
            .flops(&graph.input_types(id), graph.ty(id))
    });
    let inputs: Vec<_> = buffers.inputs.iter().map(|&at| locations[at]).collect();
    let positions = node.op.overwrites();
    let overwritten = positions.iter().map(|&at| match inputs.get(at) {
        Some(Location::State(state)) => Ok(*state),
        _ => Err(fault(&node.name, "state where it overwrites")),
    });
    Ok(Invocation {
        function,
        label: names.join(", "),
        node: node.name.clone(),
        types: fusion
            .inputs()
            .iter()
            .map(|&id| graph.ty(id).clone())
            .collect(),
        overwritten: overwritten.collect::<Result<_, _>>()?,
        positions,
        inputs,
        ty: node.ty.clone(),
        output: locations[buffers.output],
        flops: flops.sum(),
        ops,
    })
}

impl<T: Real> Invocation<T> {
    /// Takes what it writes out of its place, lends it the rest, and puts everything back.
    ///
    /// # Errors
    /// The function does not know the op that it was given.
    pub fn run(&self, work: &mut Work<'_, T>) -> Result<(), ExecutorError> {
        let mut taken: Vec<Vec<T>> = self
            .overwritten
            .iter()
            .map(|&at| std::mem::take(&mut work.state[at]))
            .collect();
        let mut output = match self.output {
            Location::Slot(slot) => std::mem::take(&mut work.slots[slot]),
            _ => Vec::new(),
        };
        let len = match self.output {
            Location::Slot(_) => self.ty.elements(),
            _ => 0,
        };
        let inputs: Vec<&[T]> = self
            .inputs
            .iter()
            .zip(&self.types)
            .enumerate()
            .map(|(position, (&location, ty))| {
                if self.positions.contains(&position) {
                    &[]
                } else {
                    work.values(location, ty)
                }
            })
            .collect();
        let mut lent: Vec<&mut [T]> = taken.iter_mut().map(Vec::as_mut_slice).collect();
        let done = (self.function)(&mut Call {
            ops: &self.ops,
            types: &self.types,
            inputs: &inputs,
            state: &mut lent,
            ty: &self.ty,
            output: &mut output[..len],
        });
        for (&at, values) in self.overwritten.iter().zip(taken) {
            work.state[at] = values;
        }
        if let Location::Slot(slot) = self.output {
            work.slots[slot] = output;
        }
        done.map_err(|_| ExecutorError::Unsupported {
            kind: "cpu",
            op: self.label.clone(),
            node: self.node.clone(),
        })
    }
}
