//! A network as an ONNX file.
//!
//! Each op says how it reads in ONNX ([`Op::onnx`](crate::graph::Op::onnx)); this module walks the graph, hands out names,
//! and collects initialisers. Tensors have the shapes that the user sees (NCHW), whatever their layout in memory; axis 0 of the
//! input is free, since every operation is written without the batch size.

mod node;
pub mod proto;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

pub use node::{Attribute, OnnxNode};

use crate::graph::{Graph, NodeId};
use crate::ops::{Constant, Input, Parameter};
use crate::tensor_type::TensorType;
use proto::{
    DimensionProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// The operator set that networks are written for.
pub const OPSET: i64 = 18;
/// The version of the schema that goes with it.
const IR_VERSION: i64 = 8;
/// Name of the free batch axis.
pub const BATCH: &str = "N";

/// Why a graph has no ONNX form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// An op that says nothing about ONNX, or not for these inputs.
    #[error("`{node}`: the op `{op}` cannot be written as ONNX{why}")]
    Unsupported {
        /// The node.
        node: String,
        /// Its op.
        op: &'static str,
        /// The reason, after a colon; empty where the op has no ONNX form at all.
        why: String,
    },
    /// A parameter without a value.
    #[error("there is no value for `{0}`")]
    NoValue(String),
    /// A value of another size than the parameter's.
    #[error("`{name}` has {found} values, not {expected}")]
    Size {
        /// The parameter.
        name: String,
        /// What was given.
        found: usize,
        /// What its shape asks for.
        expected: usize,
    },
    /// Nodes that wait for one another, which is a fault of hqcc.
    #[error("the graph has a cycle")]
    Cycle,
}

/// What stands beside the graph in the file.
#[derive(Clone, Debug, Default)]
pub struct OnnxInfo {
    /// Name of the network.
    pub name: String,
    /// What the network is, for people.
    pub doc: String,
    /// What the input and the outputs are, for people, by name.
    pub values: BTreeMap<String, String>,
    /// Texts by key.
    pub metadata: Vec<(String, String)>,
}

/// Where the values of parameters come from: row-major in the order of the logical axes.
pub type Values<'v> = dyn Fn(&str) -> Option<&'v [f32]> + 'v;

/// The file of a graph without state changes whose parameters have values; inputs and outputs keep their names.
///
/// # Errors
/// An op without an ONNX form, or a parameter without a value.
pub fn to_onnx<'v>(
    graph: &'v Graph,
    values: &'v Values<'v>,
    info: &OnnxInfo,
) -> Result<Vec<u8>, OnnxError> {
    let mut writer = Writer::new(graph, values);
    for id in graph.topological().map_err(|_| OnnxError::Cycle)? {
        writer.write(id)?;
    }
    let described = |(name, ty): (String, &TensorType)| value_info(name, ty, &info.values);
    let inputs = graph.ids().filter(|&id| graph.op::<Input>(id).is_some());
    let input = inputs
        .map(|id| described((graph.name(id).to_owned(), graph.ty(id))))
        .collect();
    let outputs = graph.outputs().iter();
    let output = outputs
        .map(|(name, &id)| described((name.clone(), graph.ty(id))))
        .collect();
    writer.name_outputs();
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("hqcc".to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        doc_string: Some(info.doc.clone()),
        graph: Some(GraphProto {
            node: writer.nodes,
            name: Some(info.name.clone()),
            initializer: writer.initializers,
            doc_string: None,
            input,
            output,
        }),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: info
            .metadata
            .iter()
            .map(|(key, value)| StringStringEntryProto {
                key: Some(key.clone()),
                value: Some(value.clone()),
            })
            .collect(),
    };
    Ok(model.encode_to_vec())
}

fn value_info(name: String, ty: &TensorType, docs: &BTreeMap<String, String>) -> ValueInfoProto {
    let extent = |(axis, &extent): (usize, &usize)| DimensionProto {
        dim_value: (axis > 0).then_some(extent as i64),
        dim_param: (axis == 0).then(|| BATCH.to_owned()),
    };
    ValueInfoProto {
        doc_string: docs.get(&name).cloned(),
        name: Some(name),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(FLOAT),
                shape: Some(TensorShapeProto {
                    dim: ty.shape.iter().enumerate().map(extent).collect(),
                }),
            }),
        }),
    }
}

/// The file as it grows.
struct Writer<'g> {
    graph: &'g Graph,
    values: &'g Values<'g>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Name of each node's value.
    names: BTreeMap<NodeId, String>,
    taken: BTreeSet<String>,
}

impl<'g> Writer<'g> {
    fn new(graph: &'g Graph, values: &'g Values<'g>) -> Self {
        // Names of the outside come first, so that nothing inside takes them.
        let inputs = graph.ids().filter(|&id| graph.op::<Input>(id).is_some());
        let names: BTreeMap<NodeId, String> =
            inputs.map(|id| (id, graph.name(id).to_owned())).collect();
        let outputs = graph.outputs().keys().cloned();
        let taken = names.values().cloned().chain(outputs).collect();
        Self {
            graph,
            values,
            nodes: Vec::new(),
            initializers: Vec::new(),
            names,
            taken,
        }
    }

    fn write(&mut self, id: NodeId) -> Result<(), OnnxError> {
        let leaf = self.graph.op::<Parameter>(id).is_some()
            || self.graph.op::<Constant>(id).is_some()
            || self.graph.op::<Input>(id).is_some();
        if leaf {
            // Leaves are written when they are first read.
            return Ok(());
        }
        let name = self.free_name(self.graph.name(id));
        self.names.insert(id, name);
        let op = self.graph.node(id).op.clone();
        op.onnx(&mut OnnxNode::new(self, id))
    }

    /// A name that no value has yet.
    fn free_name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}#{number}");
            number += 1;
        }
        name
    }

    /// The name of a node's value; a leaf that is read for the first time becomes an initialiser.
    fn value(&mut self, id: NodeId) -> Result<String, OnnxError> {
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let (name, ty) = (self.graph.name(id).to_owned(), self.graph.ty(id).clone());
        let name = match self.graph.op::<Constant>(id) {
            // One element stands for all: the ops that read constants broadcast.
            Some(constant) => {
                let ones = vec![1; ty.rank()];
                self.floats(&name, &ones, &[constant.value as f32])
            }
            None => {
                let values = self.parameter(id)?;
                self.floats(&name, &ty.shape, values)
            }
        };
        self.names.insert(id, name.clone());
        Ok(name)
    }

    /// The values of a parameter.
    fn parameter(&self, id: NodeId) -> Result<&'g [f32], OnnxError> {
        let name = self.graph.name(id);
        let values = (self.values)(name).ok_or_else(|| OnnxError::NoValue(name.to_owned()))?;
        let expected = self.graph.ty(id).elements();
        if values.len() == expected {
            Ok(values)
        } else {
            Err(OnnxError::Size {
                name: name.to_owned(),
                found: values.len(),
                expected,
            })
        }
    }

    fn floats(&mut self, wanted: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims = shape.iter().map(|&extent| extent as i64).collect();
        self.initializer(wanted, FLOAT, dims, bytes)
    }

    fn ints(&mut self, wanted: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(wanted, INT64, vec![values.len() as i64], bytes)
    }

    fn initializer(&mut self, wanted: &str, ty: i32, dims: Vec<i64>, bytes: Vec<u8>) -> String {
        let name = self.free_name(wanted);
        self.initializers.push(TensorProto {
            dims,
            data_type: Some(ty),
            name: Some(name.clone()),
            raw_data: Some(bytes),
        });
        name
    }

    /// Gives the outputs the names that they have outside.
    fn name_outputs(&mut self) {
        for (name, id) in self.graph.outputs() {
            let value = self.names.get(id).cloned().unwrap_or_default();
            self.nodes.push(NodeProto {
                input: vec![value],
                output: vec![name.clone()],
                name: Some(name.clone()),
                op_type: Some("Identity".to_owned()),
                attribute: Vec::new(),
                doc_string: None,
            });
        }
    }
}
