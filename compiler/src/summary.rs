//! What a network costs, layer by layer, without touching a device: the table of `hqcc check`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::graph::{Graph, Input, NodeId, Parameter, ParameterKind, Phase, Role};
use crate::ops::Circuit;

/// The circuits that generate a layer's weight.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generation {
    /// Number of independent circuits.
    pub circuits: usize,
    /// Qubits of each.
    pub qubits: usize,
    /// Angles of all of them.
    pub angles: usize,
    /// Weights that they give.
    pub weights: usize,
    /// Parameters of the post-processing (`lpp`).
    pub post: usize,
}

impl Generation {
    /// Angles per generated weight: below 1 the generation saves parameters.
    pub fn ratio(&self) -> f64 {
        self.angles as f64 / self.weights as f64
    }

    /// What to tell the user when generation costs more parameters than it saves.
    pub fn note(&self) -> Option<String> {
        (self.angles >= self.weights).then(|| {
            format!(
                "{} angles for {} weights: this layer costs more than it saves",
                self.angles, self.weights
            )
        })
    }
}

/// One layer of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRow {
    /// Its path.
    pub path: String,
    /// Its op.
    pub op: String,
    /// Type of its output.
    pub output: String,
    /// Trained parameters, angles and post-processing included.
    pub trained: usize,
    /// Frozen parameters.
    pub frozen: usize,
    /// Parameters that exist and are saved, but that nothing reads (`@unused`).
    pub unused: usize,
    /// Trained parameters, among the above, that are added to a frozen weight without circuits.
    pub adapter: usize,
    /// Weights given by circuits.
    pub generated: usize,
    /// The circuits, if there are any.
    pub generation: Option<Generation>,
    /// Floating-point operations of one forward pass, generation included.
    pub flops: u64,
}

/// The whole network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Its layers in order.
    pub layers: Vec<LayerRow>,
    /// Trained parameters.
    pub trained: usize,
    /// Frozen parameters.
    pub frozen: usize,
    /// Parameters that exist and are saved, but that nothing reads (`@unused`).
    pub unused: usize,
    /// Weights given by circuits.
    pub generated: usize,
    /// Numbers kept as running statistics.
    pub statistics: usize,
    /// Floating-point operations of one forward pass.
    pub flops: u64,
}

/// Summarises a network after its rewrite rules.
pub fn summarise(graph: &Graph) -> Summary {
    // In the order of the source, which the nodes that rules add do not change.
    let forward: Vec<NodeId> = graph
        .ids()
        .filter(|&id| graph.node(id).origin.phase == Phase::Forward)
        .collect();
    let mut rows: Vec<LayerRow> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut statistics = 0;
    for id in forward {
        let node = graph.node(id);
        if graph.op::<Input>(id).is_some() {
            continue;
        }
        let path = graph.layer(id).to_owned();
        let row = *at.entry(path.clone()).or_insert_with(|| {
            rows.push(LayerRow {
                path,
                op: String::new(),
                output: String::new(),
                trained: 0,
                frozen: 0,
                unused: 0,
                adapter: 0,
                generated: 0,
                generation: None,
                flops: 0,
            });
            rows.len() - 1
        });
        let row = &mut rows[row];
        if node.name == row.path {
            node.op.name().clone_into(&mut row.op);
            row.output = node.ty.to_string();
        }
        row.flops += node.op.flops(&graph.input_types(id), &node.ty);
        if let Some(parameter) = graph.op::<Parameter>(id) {
            let count = node.ty.elements();
            match parameter.kind {
                ParameterKind::Trained => row.trained += count,
                ParameterKind::Frozen => row.frozen += count,
                ParameterKind::Statistic => statistics += count,
                ParameterKind::Unused => {
                    row.unused += count;
                    "unused".clone_into(&mut row.op);
                }
                ParameterKind::Moment => {}
            }
            match node.origin.role {
                Role::Adapter => row.adapter += count,
                Role::Angles => row.generation_mut().angles += count,
                Role::Post => row.generation_mut().post += count,
                _ => {}
            }
        }
        match (&node.origin.role, graph.op::<Circuit>(id)) {
            (Role::Circuit, Some(circuit)) => {
                let generation = row.generation_mut();
                generation.qubits = circuit.qubits;
                generation.circuits += node.ty.shape[0];
            }
            (Role::Generated { .. }, _) => {
                row.generated += node.ty.elements();
                row.generation_mut().weights += node.ty.elements();
            }
            _ => {}
        }
    }
    Summary {
        trained: rows.iter().map(|row| row.trained).sum(),
        frozen: rows.iter().map(|row| row.frozen).sum(),
        unused: rows.iter().map(|row| row.unused).sum(),
        generated: rows.iter().map(|row| row.generated).sum(),
        flops: rows.iter().map(|row| row.flops).sum(),
        statistics,
        layers: rows,
    }
}

impl LayerRow {
    fn generation_mut(&mut self) -> &mut Generation {
        self.generation.get_or_insert(Generation {
            circuits: 0,
            qubits: 0,
            angles: 0,
            weights: 0,
            post: 0,
        })
    }
}
