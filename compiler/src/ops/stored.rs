//! A graph as data: nodes in scheduled order, types recomputed by each op's own rule when it is read back.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::read;
use crate::graph::{Graph, NodeId, Origin, Phase, Role};

#[derive(Serialize, Deserialize)]
struct StoredNode {
    name: String,
    op: String,
    attributes: serde_json::Value,
    inputs: Vec<usize>,
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
    #[serde(default, skip_serializing_if = "Role::is_plain")]
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredGraph {
    nodes: Vec<StoredNode>,
    outputs: Vec<(String, usize)>,
    effects: Vec<usize>,
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Creation order is the order of ids; readers rely on ids only through names and inputs.
        let order = self.topological("store").map_err(ser::Error::custom)?;
        let mut position = vec![0; self.capacity()];
        for (at, id) in order.iter().enumerate() {
            position[id.index()] = at;
        }
        let at = |id: &NodeId| position[id.index()];
        let nodes = order
            .iter()
            .map(|&id| {
                let node = self.node(id);
                StoredNode {
                    name: node.name.clone(),
                    op: node.op.name().to_owned(),
                    attributes: node.op.attributes(),
                    inputs: self.inputs(id).iter().map(at).collect(),
                    phase: node.origin.phase,
                    layer: node.origin.layer.as_deref().map(str::to_owned),
                    role: node.origin.role.clone(),
                    replaces: node.replaces.clone(),
                }
            })
            .collect();
        let outputs = self
            .outputs()
            .iter()
            .map(|(name, id)| (name.clone(), at(id)))
            .collect();
        let effects = self.effects().iter().map(at).collect();
        StoredGraph {
            nodes,
            outputs,
            effects,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredGraph::deserialize(deserializer)?;
        let mut graph = Graph::default();
        let mut ids: Vec<NodeId> = Vec::with_capacity(stored.nodes.len());
        let find = |ids: &[NodeId], at: usize| {
            ids.get(at)
                .copied()
                .ok_or_else(|| de::Error::custom(format!("node {at} is read before it is defined")))
        };
        for node in stored.nodes {
            let inputs = node
                .inputs
                .iter()
                .map(|&at| find(&ids, at))
                .collect::<Result<Vec<_>, _>>()?;
            let op = read(&node.op, node.attributes).map_err(de::Error::custom)?;
            graph.set_origin(Origin {
                phase: node.phase,
                layer: node.layer.map(Into::into),
                role: node.role,
            });
            let id = graph
                .add_shared(op, &inputs, node.name.clone())
                .map_err(|error| de::Error::custom(format!("node `{}`: {error}", node.name)))?;
            graph.set_replaces(id, node.replaces);
            ids.push(id);
        }
        for (name, at) in stored.outputs {
            graph.set_output(name, find(&ids, at)?);
        }
        for at in stored.effects {
            graph.add_effect(find(&ids, at)?);
        }
        Ok(graph)
    }
}
