//! What an op sees while it is written as ONNX.

use super::error::OnnxError;
use super::proto::{AttributeProto, NodeProto};
use super::writer::Writer;
use crate::graph::{NodeId, Op, Parameter};
use crate::tensor_type::TensorType;

/// A setting of an ONNX operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A number.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A word.
    Word(&'static str),
}

impl Attribute {
    /// The element type `f32`, for `Cast`.
    pub const FLOAT: Self = Self::Int(super::proto::FLOAT as i64);

    /// A list of sizes.
    pub fn sizes(sizes: impl IntoIterator<Item = usize>) -> Self {
        Self::Ints(sizes.into_iter().map(|size| size as i64).collect())
    }

    fn proto(&self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto {
            name: Some(name.to_owned()),
            ..AttributeProto::default()
        };
        let kind = match self {
            Self::Float(value) => {
                proto.f = Some(*value as f32);
                1
            }
            Self::Int(value) => {
                proto.i = Some(*value);
                2
            }
            Self::Word(word) => {
                proto.s = Some(word.as_bytes().to_vec());
                3
            }
            Self::Ints(values) => {
                proto.ints.clone_from(values);
                7
            }
        };
        proto.r#type = Some(kind);
        proto
    }
}

/// The ONNX form of an op.
pub trait ToOnnx: Op {
    /// Adds the ONNX operations that compute the output, on tensors in their logical order and without the batch size as
    /// a constant. What only trains, and what parameters alone decide (circuits, adapters), has none.
    ///
    /// # Errors
    /// The op has no ONNX form, or none for these inputs.
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        Err(node.unsupported(""))
    }
}

/// A node that is being written: its inputs by position, and ways to add ONNX operations. The last one is added with
/// [`emit`](OnnxNode::emit) and makes the node's own value.
pub struct OnnxNode<'w, 'g> {
    writer: &'w mut Writer<'g>,
    id: NodeId,
    inputs: Vec<NodeId>,
    types: Vec<TensorType>,
    output: TensorType,
    name: String,
}

impl<'w, 'g> OnnxNode<'w, 'g> {
    pub(super) fn new(writer: &'w mut Writer<'g>, id: NodeId, name: String) -> Self {
        let graph = writer.graph;
        Self {
            id,
            inputs: graph.inputs(id),
            types: graph.input_types(id),
            output: graph.ty(id).clone(),
            name,
            writer,
        }
    }

    /// Number of inputs.
    pub fn arity(&self) -> usize {
        self.inputs.len()
    }

    /// Type of an input.
    pub fn input_type(&self, position: usize) -> &TensorType {
        &self.types[position]
    }

    /// Type of the output.
    pub fn output_type(&self) -> &TensorType {
        &self.output
    }

    /// The name of an input's value.
    ///
    /// # Errors
    /// A parameter without a value.
    pub fn input(&mut self, position: usize) -> Result<String, OnnxError> {
        self.writer.value(self.inputs[position])
    }

    /// The names of all inputs' values.
    ///
    /// # Errors
    /// A parameter without a value.
    pub fn all_inputs(&mut self) -> Result<Vec<String>, OnnxError> {
        (0..self.arity()).map(|at| self.input(at)).collect()
    }

    /// The values of an input that is fixed when the file is written.
    ///
    /// # Errors
    /// The input is computed from the network's own.
    pub fn fixed(&self, position: usize) -> Result<&'g [f32], OnnxError> {
        let id = self.inputs[position];
        if self.writer.graph.op::<Parameter>(id).is_none() {
            return Err(self.unsupported(&format!("input {position} is no parameter")));
        }
        self.writer.parameter(id)
    }

    /// A constant vector of whole numbers.
    pub fn ints(&mut self, what: &str, values: &[i64]) -> String {
        let name = format!("{}/{what}", self.name);
        self.writer.ints(&name, values)
    }

    /// A constant tensor.
    pub fn floats(&mut self, what: &str, shape: &[usize], values: &[f32]) -> String {
        let name = format!("{}/{what}", self.name);
        self.writer.floats(&name, shape, values)
    }

    /// A constant of one element and no axis.
    pub fn number(&mut self, what: &str, value: f64) -> String {
        self.floats(what, &[], &[value as f32])
    }

    /// Adds an operation and gives the name of its value.
    pub fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = format!("{}/{operator}", self.name);
        let name = self.writer.free_name(&name);
        self.push(operator, inputs, attributes, name.clone());
        name
    }

    /// Adds the operation whose value is the node's own.
    ///
    /// # Errors
    /// None; the result is what [`ToOnnx::onnx`] gives back.
    pub fn emit(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Result<(), OnnxError> {
        self.push(operator, inputs, attributes, self.name.clone());
        Ok(())
    }

    /// Adds an operation that reads all inputs of the node in order and makes its value.
    ///
    /// # Errors
    /// A parameter without a value.
    pub fn same(
        &mut self,
        operator: &str,
        attributes: &[(&str, Attribute)],
    ) -> Result<(), OnnxError> {
        let inputs = self.all_inputs()?;
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.emit(operator, &inputs, attributes)
    }

    /// Adds a change of the order of axes, unless it changes nothing.
    pub fn transpose(&mut self, x: &str, order: &[usize]) -> String {
        if order.iter().enumerate().all(|(at, &axis)| at == axis) {
            return x.to_owned();
        }
        let order = Attribute::sizes(order.iter().copied());
        self.add("Transpose", &[x], &[("perm", order)])
    }

    /// Adds a change of shape; the first extent follows from the others, so that it may be the batch.
    pub fn reshape(&mut self, x: &str, shape: &[usize]) -> String {
        let mut shape: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
        if let Some(first) = shape.first_mut() {
            *first = -1;
        }
        let shape = self.ints("shape", &shape);
        self.add("Reshape", &[x, &shape], &[])
    }

    /// Adds a range along each of some axes: `(axis, from, to)`.
    pub fn slice(&mut self, x: &str, ranges: &[(usize, usize, usize)]) -> String {
        let part = |part: fn(&(usize, usize, usize)) -> usize| -> Vec<i64> {
            ranges.iter().map(|range| part(range) as i64).collect()
        };
        let starts = self.ints("starts", &part(|range| range.1));
        let ends = self.ints("ends", &part(|range| range.2));
        let axes = self.ints("axes", &part(|range| range.0));
        self.add("Slice", &[x, &starts, &ends, &axes], &[])
    }

    /// Adds zeros around rows and columns of a feature map: `[before, after]` of each.
    pub fn pad(&mut self, x: &str, rows: [usize; 2], columns: [usize; 2]) -> String {
        let [top, left, bottom, right] = [rows[0], columns[0], rows[1], columns[1]];
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|pad| pad as i64);
        let pads = self.ints("pads", &pads);
        self.add("Pad", &[x, &pads], &[])
    }

    /// The node's own value is `value`.
    ///
    /// # Errors
    /// None; see [`emit`](OnnxNode::emit).
    pub fn is(&mut self, value: &str) -> Result<(), OnnxError> {
        self.emit("Identity", &[value], &[])
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        name: String,
    ) {
        self.writer.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: Some(name),
            op_type: Some(operator.to_owned()),
            attribute: attributes
                .iter()
                .map(|(name, value)| value.proto(name))
                .collect(),
            doc_string: None,
        });
    }

    /// The op cannot be written, and why.
    pub fn unsupported(&self, why: &str) -> OnnxError {
        let colon = if why.is_empty() { "" } else { ": " };
        OnnxError::Unsupported {
            node: self.name.clone(),
            op: self.writer.graph.node(self.id).op.name(),
            why: format!("{colon}{why}"),
        }
    }
}
