//! What holds of every ONNX file that hqcc writes.

use std::collections::BTreeSet;

use hqcc_compiler::onnx::proto::{FLOAT, GraphProto, INT64, ModelProto, ValueInfoProto};
use hqcc_compiler::onnx::{BATCH, OPSET};
use prost::Message;

/// The operators in use, all of the operator set 18.
const OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Div",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Gemm",
    "Greater",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Mul",
    "Neg",
    "Pad",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Sub",
    "Transpose",
    "Where",
];

/// Reads a file back and checks it.
pub fn read(file: &[u8]) -> GraphProto {
    let model = ModelProto::decode(file).expect("the file is a model");
    assert_eq!(model.producer_name.as_deref(), Some("hqcc"));
    let sets: Vec<_> = model.opset_import.iter().map(|set| set.version).collect();
    assert_eq!(sets, [Some(OPSET)]);
    let graph = model.graph.expect("a graph");
    let mut known = BTreeSet::new();
    for value in &graph.input {
        assert!(known.insert(name(value)), "{value:?}");
    }
    for tensor in &graph.initializer {
        let name = tensor.name.clone().expect("a name");
        let count: i64 = tensor.dims.iter().product();
        let size = match tensor.data_type {
            Some(FLOAT) => 4,
            Some(INT64) => 8,
            other => panic!("`{name}` has the type {other:?}"),
        };
        let bytes = tensor.raw_data.as_ref().expect("values").len();
        assert_eq!(bytes, count as usize * size, "`{name}` {:?}", tensor.dims);
        assert!(known.insert(name.clone()), "`{name}` twice");
    }
    let initializers: BTreeSet<String> = graph
        .initializer
        .iter()
        .filter_map(|tensor| tensor.name.clone())
        .collect();
    let mut read = BTreeSet::new();
    for node in &graph.node {
        let operator = node.op_type.as_deref().expect("an operator");
        assert!(OPERATORS.contains(&operator), "{operator} in {node:?}");
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            assert!(
                known.contains(input),
                "`{input}` is read before it is made: {node:?}"
            );
            read.insert(input.clone());
        }
        for output in &node.output {
            assert!(known.insert(output.clone()), "`{output}` is made twice");
        }
        for attribute in &node.attribute {
            let given = [
                attribute.f.is_some(),
                attribute.i.is_some(),
                attribute.s.is_some(),
            ];
            let kind = match given {
                [true, false, false] => 1,
                [false, true, false] => 2,
                [false, false, true] => 3,
                _ => 7,
            };
            assert_eq!(attribute.r#type, Some(kind), "{attribute:?}");
        }
    }
    for name in &initializers {
        assert!(read.contains(name), "`{name}` is read by nothing");
    }
    assert_eq!(graph.output.len(), 2);
    for value in graph.output.iter().chain(&graph.input) {
        assert!(known.contains(&name(value)), "{value:?}");
        let [first, rest @ ..] = &*extents(value) else {
            panic!("{value:?} has no axis");
        };
        assert_eq!(first, &Err(BATCH.to_owned()), "the batch is free");
        assert!(
            rest.iter()
                .all(|extent| extent.as_ref().is_ok_and(|&extent| extent > 0))
        );
    }
    graph
}

/// The name of an input or output.
pub fn name(value: &ValueInfoProto) -> String {
    value.name.clone().expect("a name")
}

/// Extents of an input or output: a number, or the name of a free one.
pub fn extents(value: &ValueInfoProto) -> Vec<Result<i64, String>> {
    let ty = value
        .r#type
        .as_ref()
        .and_then(|ty| ty.tensor_type.as_ref())
        .expect("a tensor");
    assert_eq!(ty.elem_type, Some(FLOAT));
    let shape = ty.shape.as_ref().expect("a shape");
    let extent = |dim: &hqcc_compiler::onnx::proto::DimensionProto| {
        dim.dim_value
            .ok_or_else(|| dim.dim_param.clone().unwrap_or_default())
    };
    shape.dim.iter().map(extent).collect()
}
