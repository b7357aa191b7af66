//! Element-wise kernels: a list of scalar functions over broadcast inputs.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Groups, Index, LowerError, Lowering, Operand, merge};
use crate::graph::{Read, Scalar};
use crate::tensor_type::TensorType;
use crate::wgsl::render_function;

/// Where a step of a chain takes an argument from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A place in an input of the kernel.
    Input(usize, Read),
    /// The result of an earlier step.
    Step(usize),
}

/// One scalar function of a chain.
pub(crate) struct Step {
    /// The op that it belongs to.
    pub(crate) op: String,
    /// Constants of its text.
    pub(crate) constants: Value,
    /// Its arguments, in order.
    pub(crate) arguments: Vec<Argument>,
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
            .map(|(input, read)| Argument::Input(input, read))
            .collect();
        let step = Step {
            op: self.op().to_owned(),
            constants: scalar.constants,
            arguments,
        };
        self.chain(&[step])
    }

    /// Lowers a chain of scalar functions; the last one gives the output.
    pub(crate) fn chain(&mut self, steps: &[Step]) -> Result<(), LowerError> {
        let output = self.output().clone();
        let mut reads: Vec<(usize, Read)> = Vec::new();
        for step in steps {
            for argument in &step.arguments {
                if let Argument::Input(at, read) = *argument
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
        for step in steps {
            let known = calls.len();
            let function = format!("{}_{known}", step.op);
            let text = render_function(&step.op, &function, &step.constants)
                .map_err(|error| self.kernel_error(error))?;
            functions.push(text);
            let args = step.arguments.iter().map(|argument| match argument {
                Argument::Input(at, read) => {
                    let load = reads
                        .iter()
                        .position(|other| *other == (*at, *read))
                        .unwrap_or_default();
                    format!("a{load}")
                }
                Argument::Step(at) => format!("s{at}"),
            });
            calls.push(Call {
                op: step.op.clone(),
                function,
                args: args.collect(),
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
