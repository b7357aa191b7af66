//! A network as an ONNX file.
//!
//! Each op says how it reads in ONNX ([`ToOnnx`]); this module walks the graph, hands out names,
//! and collects initialisers. Tensors have the shapes that the user sees (NCHW), whatever their layout in memory; axis 0 of the
//! input is free, since every operation is written without the batch size.

mod error;
mod node;
pub mod proto;
mod writer;

use std::collections::BTreeMap;

use prost::Message;

pub use error::OnnxError;
pub use node::{Attribute, OnnxNode, ToOnnx};
pub use writer::Values;

use crate::graph::{Constant, Graph, Input, NodeId, Op, Parameter};
use crate::tensor_type::TensorType;
use proto::{
    DimensionProto, FLOAT, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use writer::Writer;

/// The operator set that networks are written for.
pub const OPSET: i64 = 18;
/// The version of the schema that goes with it.
const IR_VERSION: i64 = 8;
/// Name of the free batch axis.
pub const BATCH: &str = "N";

/// Metadata that the file holds beside the graph.
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

/// Finds the ONNX form of an op, in a table that this module does not know.
pub type OnnxOf = fn(&dyn Op) -> Option<&dyn ToOnnx>;

/// The file of a graph without state changes whose parameters have values; inputs and outputs keep their names.
///
/// # Errors
/// An op without an ONNX form, or a parameter without a value.
pub fn to_onnx<'v>(
    graph: &'v Graph,
    onnx_of: OnnxOf,
    values: &'v Values<'v>,
    info: &OnnxInfo,
) -> Result<Vec<u8>, OnnxError> {
    let mut writer = Writer::new(graph, values);
    for id in graph.topological("onnx")? {
        write(&mut writer, id, onnx_of)?;
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
    writer.name_outputs()?;
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

/// Adds a node; leaves are written when they are first read.
fn write(writer: &mut Writer<'_>, id: NodeId, onnx_of: OnnxOf) -> Result<(), OnnxError> {
    let graph = writer.graph;
    let leaf = graph.op::<Parameter>(id).is_some()
        || graph.op::<Constant>(id).is_some()
        || graph.op::<Input>(id).is_some();
    if leaf {
        return Ok(());
    }
    let name = writer.free_name(graph.name(id));
    writer.names.insert(id, name.clone());
    let mut node = OnnxNode::new(writer, id, name);
    match onnx_of(&*graph.node(id).op) {
        Some(op) => op.onnx(&mut node),
        None => Err(node.unsupported("")),
    }
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
