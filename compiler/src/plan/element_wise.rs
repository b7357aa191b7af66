//! Element-wise kernels: a list of scalar functions over broadcast inputs.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Groups, Index, LowerError, Lowering, Operand, merge};
use crate::graph::{Capabilities, ChainLimits, Fusion, Graph, LinkInput, Read, Scalar};
use crate::tensor_type::TensorType;
use crate::wgsl::render_function;

/// Values that a chain reads at most: with its output they stay within the default limit of eight buffers. An input may
/// be bound twice (as vectors and as single elements), which this leaves room for.
const INPUTS: usize = 5;

/// Ops of a chain at most.
const LINKS: usize = 16;

/// What the kernels written here compute at once: chains of element-wise ops.
pub fn capabilities() -> Capabilities {
    Capabilities {
        chains: Some(ChainLimits {
            inputs: INPUTS,
            links: LINKS,
        }),
        patterns: Vec::new(),
    }
}

/// Where a scalar function takes an argument from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// An element of an input of the kernel.
    Element(usize, Read),
    /// The result of an earlier function.
    Result(usize),
}

/// One scalar function of a chain.
struct ScalarCall {
    /// The op that it belongs to.
    op: String,
    /// Constants of its text.
    constants: Value,
    /// Its arguments, in order.
    arguments: Vec<Argument>,
}

#[derive(Serialize)]
struct Load {
    input: usize,
    vec: bool,
    at: String,
}

#[derive(Serialize)]
struct Bound {
    vec: bool,
}

#[derive(Serialize)]
struct Call {
    op: String,
    function: String,
    args: Vec<String>,
}

impl Lowering<'_> {
    /// Lowers an op that is one scalar function.
    ///
    /// # Errors
    /// A function whose text is faulty.
    pub fn scalar(&mut self, scalar: Scalar) -> Result<(), LowerError> {
        let arguments = scalar
            .arguments
            .into_iter()
            .map(|(input, read)| Argument::Element(input, read))
            .collect();
        let call = ScalarCall {
            op: self.op().to_owned(),
            constants: scalar.constants,
            arguments,
        };
        self.chain(&[call])
    }

    /// Lowers joined element-wise nodes, whose values stay in registers.
    ///
    /// # Errors
    /// A node that is not element-wise, or a function whose text is faulty.
    pub(super) fn fusion(&mut self, graph: &Graph, fusion: &Fusion) -> Result<(), LowerError> {
        let mut calls = Vec::with_capacity(fusion.links().len());
        for link in fusion.links() {
            let op = &graph.node(link.node).op;
            let scalar = op
                .scalar(&graph.input_types(link.node))
                .ok_or_else(|| self.no_kernel())?;
            let argument = |&(slot, read): &(usize, Read)| match link.inputs[slot] {
                LinkInput::Outer(input) => Argument::Element(input, read),
                LinkInput::Link(earlier) => Argument::Result(earlier),
            };
            calls.push(ScalarCall {
                op: op.name().to_owned(),
                arguments: scalar.arguments.iter().map(argument).collect(),
                constants: scalar.constants,
            });
        }
        self.chain(&calls)
    }

    /// Lowers a chain of scalar functions; the last one gives the output.
    fn chain(&mut self, chain: &[ScalarCall]) -> Result<(), LowerError> {
        let output = self.output().clone();
        let mut reads: Vec<(usize, Read)> = Vec::new();
        for call in chain {
            for argument in &call.arguments {
                if let Argument::Element(at, read) = *argument
                    && !reads.contains(&(at, read))
                {
                    reads.push((at, read));
                }
            }
        }
        let index = |at: usize, read: Read, ty: &TensorType| (at, Index::new(&output, ty, read));
        let places: Vec<_> = reads
            .iter()
            .map(|&(at, read)| index(at, read, self.input(at)))
            .collect();
        let n = output.elements();
        let vector = n.is_multiple_of(4)
            && places
                .iter()
                .all(|(_, place)| place.is_vector() || place.is_shared());
        // An input that is read both as vectors and as single elements is bound twice.
        let mut bound: Vec<(usize, bool)> = Vec::new();
        let mut loads = Vec::new();
        for (at, place) in &places {
            let key = (*at, vector && place.is_vector());
            let input = bound
                .iter()
                .position(|other| *other == key)
                .unwrap_or_else(|| {
                    bound.push(key);
                    bound.len() - 1
                });
            loads.push(Load {
                input,
                vec: key.1,
                at: place.expression(),
            });
        }
        let mut functions: Vec<String> = Vec::new();
        let mut calls = Vec::new();
        for call in chain {
            let known = calls.len();
            let function = format!("{}_{known}", call.op);
            let text = render_function(&call.op, &function, &call.constants)
                .map_err(|error| self.kernel_error(error))?;
            functions.push(text);
            let args = call.arguments.iter().map(|argument| match argument {
                Argument::Element(at, read) => {
                    let load = reads.iter().position(|other| *other == (*at, *read));
                    load.map(|load| format!("a{load}"))
                        .ok_or_else(|| self.fault("an element that the chain loads"))
                }
                Argument::Result(at) => Ok(format!("s{at}")),
            });
            calls.push(Call {
                op: call.op.clone(),
                function,
                args: args.collect::<Result<_, _>>()?,
            });
        }
        let lanes = if vector { 4 } else { 1 };
        let groups = Groups::for_elements(n.div_ceil(lanes));
        let inputs: Vec<_> = bound.iter().map(|&(_, vec)| Bound { vec }).collect();
        let names: Vec<_> = (0..bound.len()).map(|at| format!("x{at}")).collect();
        let mut operands: Vec<_> = bound
            .iter()
            .zip(&names)
            .map(|(&(at, _), name)| (name.as_str(), Operand::Input(at)))
            .collect();
        operands.push(("y", Operand::Output));
        let constants = json!({
            "inputs": inputs, "loads": loads, "functions": functions, "steps": calls, "lanes": lanes, "n": n, "groups_x": groups.x,
        });
        self.dispatch("shared/element_wise", constants, &operands, groups)
    }

    /// Copies the only input to the output, byte for byte.
    pub(super) fn copy(&mut self, elements: usize) -> Result<(), LowerError> {
        let groups = Groups::for_elements(elements);
        let constants = json!({ "n": elements, "parts": 1, "groups_x": groups.x });
        let operands = [("parts", Operand::Input(0)), ("y", Operand::Output)];
        self.dispatch("shared/sum_parts", constants, &operands, groups)
    }

    /// Runs a kernel of one invocation per element (or pixel): `n` of them, besides its own constants.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn per_element(
        &mut self,
        name: &str,
        n: usize,
        constants: &Value,
        operands: &[(&str, Operand)],
    ) -> Result<(), LowerError> {
        let groups = Groups::for_elements(n);
        self.dispatch(
            name,
            merge(json!({ "n": n, "groups_x": groups.x }), constants),
            operands,
            groups,
        )
    }
}
