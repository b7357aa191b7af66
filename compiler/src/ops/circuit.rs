//! Variational quantum circuits as an op.

use serde::{Deserialize, Serialize};

use super::WeightMap;
use crate::graph::{Backward, NodeId, Op};
use crate::op_identity;
use crate::quantum::ansatz::Ansatz;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// What is read out of the final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// Re psi_i, the post-processing `rce`.
    Real,
    /// |psi_i|^2.
    Probability,
}

/// `circuit`: one independent circuit per row of angles, run from |0..0>, and what is read of its first `used`
/// amplitudes, `scale * readout + offset`. Source: HQC-TF Eq. 1 (doi 10.1038/s41598-026-40127-z). Qubit 0 is the highest
/// bit of the index.
///
/// - Shapes: `theta: f32[circuits, blocks, axes, qubits] -> f32[circuits, used]`, `axes` the layers of rotations in
///   a block (0 RY, 1 RX for `hqc_tf`); see [`Ansatz::angle_shape`](crate::quantum::ansatz::Ansatz::angle_shape).
///   With `map`, the output is the weight that it arranges the rows into (Eq. 8).
/// - Units: radians.
/// - Gradient: [`CircuitGrad`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Circuit {
    /// The gates.
    pub ansatz: Ansatz,
    /// Number of qubits.
    pub qubits: usize,
    /// Number of repeated blocks.
    pub blocks: usize,
    /// What is read.
    pub readout: Readout,
    /// How many amplitudes are used, at most `2^qubits`.
    pub used: usize,
    /// Factor on what is read.
    pub scale: f64,
    /// Summand.
    pub offset: f64,
    /// The weight that the rows become; `None` leaves them as they are.
    pub map: Option<WeightMap>,
}

/// `circuit_grad`: adjoint differentiation (arXiv:2009.02823) of [`Circuit`]; inputs `(theta, dy)`.
///
/// - Shapes: `theta` as above, `dy` as the output of [`Circuit`] `-> theta's`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CircuitGrad {
    /// The circuits that this op differentiates.
    pub circuit: Circuit,
}

impl Circuit {
    /// The plain readout of `used` amplitudes of each circuit.
    pub fn new(
        ansatz: Ansatz,
        qubits: usize,
        blocks: usize,
        readout: Readout,
        used: usize,
    ) -> Self {
        Self {
            ansatz,
            qubits,
            blocks,
            readout,
            used,
            scale: 1.0,
            offset: 0.0,
            map: None,
        }
    }

    fn work(&self, circuits: usize) -> u64 {
        let amplitudes = 1u64 << self.qubits;
        // The first block is a product state; each later one applies a complex 2x2 per qubit: 28 flops a pair.
        let later = self.blocks.saturating_sub(1) as u64 * self.qubits as u64;
        circuits as u64 * amplitudes * (8 + 14 * later)
    }
}

impl Op for Circuit {
    op_identity!("circuit");
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [theta] = arity(inputs)?;
        if self.qubits == 0 || self.qubits > 20 || self.used == 0 || self.used > 1 << self.qubits {
            return Err(ShapeError::new(format!(
                "{} of the amplitudes of {} qubits cannot be used",
                self.used, self.qubits
            )));
        }
        let wanted = self.ansatz.angle_shape(self.qubits, self.blocks);
        match theta.shape.split_first() {
            Some((&circuits, angles)) if *angles == wanted => {
                let rows = TensorType::plain([circuits, self.used]);
                match &self.map {
                    Some(map) => map.infer(&[rows]),
                    None => Ok(rows),
                }
            }
            _ => Err(ShapeError::new(format!(
                "angles {wanted:?} per circuit are needed, not {theta}"
            ))
            .at([0])),
        }
    }
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let theta = back.input(0);
        Ok(vec![Some(back.add(
            CircuitGrad {
                circuit: self.clone(),
            },
            &[theta, dy],
        )?)])
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        self.work(inputs[0].shape[0])
    }
}

impl Op for CircuitGrad {
    op_identity!("circuit_grad");
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [theta, dy] = arity(inputs)?;
        if self.circuit.infer(std::slice::from_ref(theta))? != *dy {
            return Err(ShapeError::new(format!(
                "{dy} is no gradient of a circuit with angles {theta}"
            ))
            .at([0, 1]));
        }
        Ok(theta.clone())
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        3 * self.circuit.work(inputs[0].shape[0])
    }
}
