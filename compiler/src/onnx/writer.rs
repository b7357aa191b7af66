//! The file as it grows: names of values, nodes and initialisers.

use std::collections::{BTreeMap, BTreeSet};

use super::error::OnnxError;
use super::proto::{FLOAT, INT64, NodeProto, TensorProto};
use crate::fault::Fault;
use crate::graph::{Constant, Graph, Input, NodeId};

/// Where the values of parameters come from: row-major in the order of the logical axes.
pub type Values<'v> = dyn Fn(&str) -> Option<&'v [f32]> + 'v;

/// The file as it grows.
pub(super) struct Writer<'g> {
    pub(super) graph: &'g Graph,
    values: &'g Values<'g>,
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
    /// Name of each node's value.
    pub(super) names: BTreeMap<NodeId, String>,
    taken: BTreeSet<String>,
}

impl<'g> Writer<'g> {
    pub(super) fn new(graph: &'g Graph, values: &'g Values<'g>) -> Self {
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

    /// A name that no value has yet.
    pub(super) fn free_name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}#{number}");
            number += 1;
        }
        name
    }

    /// The name of a node's value; a leaf that is read for the first time becomes an initialiser.
    pub(super) fn value(&mut self, id: NodeId) -> Result<String, OnnxError> {
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let (name, ty) = (self.graph.name(id).to_owned(), self.graph.ty(id).clone());
        let name = match self.graph.op::<Constant>(id) {
            // One element is enough: the ops that read constants broadcast.
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
    pub(super) fn parameter(&self, id: NodeId) -> Result<&'g [f32], OnnxError> {
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

    pub(super) fn floats(&mut self, wanted: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims = shape.iter().map(|&extent| extent as i64).collect();
        self.initializer(wanted, FLOAT, dims, bytes)
    }

    pub(super) fn ints(&mut self, wanted: &str, values: &[i64]) -> String {
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
    ///
    /// # Errors
    /// An output that was never written.
    pub(super) fn name_outputs(&mut self) -> Result<(), Fault> {
        for (name, id) in self.graph.outputs() {
            let value = self.names.get(id).cloned();
            let value = value.ok_or_else(|| Fault::new("onnx", name, "a value for the output"))?;
            self.nodes.push(NodeProto {
                input: vec![value],
                output: vec![name.clone()],
                name: Some(name.clone()),
                op_type: Some("Identity".to_owned()),
                attribute: Vec::new(),
                doc_string: None,
            });
        }
        Ok(())
    }
}
