//! The settings that all circuits of a layer share.

pub use hqcc_compiler::ops::{CircuitOrder as Order, Readout};

use hqcc_compiler::ops;
use hqcc_compiler::quantum::ansatz::Ansatz;
use hqcc_compiler::tensor_type::TensorType;

/// All circuits of a layer.
#[derive(Clone, Debug)]
pub struct Circuits {
    /// How many.
    pub count: usize,
    /// Qubits of each.
    pub qubits: usize,
    /// Blocks of each.
    pub blocks: usize,
    /// Their gates.
    pub ansatz: Ansatz,
    /// What is read from an amplitude; the result is `scale * readout + offset`.
    pub readout: Readout,
    /// Factor on the readout.
    pub scale: f64,
    /// Added to it.
    pub offset: f64,
    /// How many amplitudes are used, from the first on.
    pub used: usize,
    /// Where they go.
    pub order: Order,
}

impl Circuits {
    /// The circuits of a node with angles of type `theta`.
    pub fn new(op: &ops::Circuit, theta: &TensorType) -> Self {
        Self {
            count: theta.shape.first().copied().unwrap_or_default(),
            qubits: op.qubits,
            blocks: op.blocks,
            ansatz: op.ansatz.clone(),
            readout: op.readout,
            scale: op.scale,
            offset: op.offset,
            used: op.used,
            order: op
                .map
                .as_ref()
                .map_or(Order::Circuits, ops::WeightMap::order),
        }
    }

    /// Angles of one circuit.
    pub fn angles(&self) -> usize {
        self.ansatz.angles(self.qubits, self.blocks)
    }

    /// Targets: circuits at one position of the kernel.
    pub(super) fn targets(&self) -> usize {
        self.count / self.order.positions()
    }
}
