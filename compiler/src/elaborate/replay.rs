//! A network of another batch size, or without training, from one that is elaborated already.
//!
//! The language computes with the height and the width of the input, but never with the batch size or with whether
//! the network trains. So the layer calls of one elaboration, made again with the same settings, give every other
//! batch size and mode; another image size needs another elaboration.

use std::collections::BTreeMap;

use super::layer::too_large;
use super::network::Network;
use super::state::Layer;
use super::statements::set_aside;
use crate::graph::{Graph, Input, NodeId};
use crate::ops::Builder;
use crate::tensor_type::ShapeError;

impl Network {
    /// The network, which was elaborated in training, for a batch of `batch` samples, in training or not.
    ///
    /// # Errors
    /// A layer refuses this batch size; elaboration for that size says where.
    pub fn replayed(&self, batch: usize, training: bool) -> Result<Network, ShapeError> {
        let mut graph = Graph::default();
        let mut ty = self.graph.ty(self.input_id).clone();
        if let Some(samples) = ty.shape.first_mut() {
            *samples = batch;
        }
        let input_id = graph.add(Input { ty }, &[], self.input.clone())?;
        let mut new = BTreeMap::from([(self.input_id, input_id)]);
        let mut layers: Vec<Layer> = Vec::with_capacity(self.layers.len());
        // The number of nodes before each layer.
        let mut nodes = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            nodes.push(graph.len());
            let inputs: Vec<_> = layer.inputs.iter().map(|id| find(&new, *id)).collect();
            let inputs = inputs.into_iter().collect::<Result<Vec<_>, _>>()?;
            let mut builder = Builder {
                graph: &mut graph,
                path: layer.path.clone(),
                training,
            };
            let output = (layer.function.build)(&mut builder, &inputs, &layer.settings)?;
            if let Some(id) = too_large(&graph, output) {
                let message = format!("`{}` has too many elements", graph.name(id));
                return Err(ShapeError::new(message));
            }
            // In training every layer has an output of its own, or passes its input on in evaluation as well.
            new.insert(layer.output, output);
            layers.push(Layer {
                inputs,
                output,
                ..layer.clone()
            });
            let done = |unused: &&std::ops::Range<usize>| {
                unused.end == layers.len() && unused.start < unused.end
            };
            for unused in self.unused.iter().filter(done) {
                set_aside(&mut graph, nodes[unused.start]);
            }
        }
        for (name, id) in self.graph.outputs() {
            graph.set_output(name, find(&new, *id)?);
        }
        Ok(Network {
            graph,
            model: self.model.clone(),
            input: self.input.clone(),
            input_id,
            output: find(&new, self.output)?,
            layers,
            unused: self.unused.clone(),
            rules: self.rules.clone(),
        })
    }
}

/// What a tensor of the elaborated network is in the new one.
fn find(new: &BTreeMap<NodeId, NodeId>, id: NodeId) -> Result<NodeId, ShapeError> {
    let found = new.get(&id).copied();
    found.ok_or_else(|| ShapeError::new("a tensor comes from no layer"))
}
