//! Variational quantum circuits as an op.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CircuitOrder, WeightMap, gate_kernels};
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Groups, Lower, LowerError, Lowering, Operand, merge};
use crate::quantum::ansatz::{Ansatz, GateLayer};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// The quantity that is read from the final state.
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
/// - Shapes: `theta: f32[circuits, blocks, axes, qubits] -> f32[circuits, used]`, `axes` the angles per qubit in
///   a block (0 RY, 1 RX for `hqc_tf`); for circuits with other numbers of angles see [`Ansatz::angle_shape`](crate::quantum::ansatz::Ansatz::angle_shape).
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
    /// Factor on the readout.
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

    /// Workgroups and constants of the kernels of the HQC-TF circuit, for `count` circuits.
    ///
    /// Every invocation holds up to eight amplitudes in registers and turns up to three qubits in a pass.
    fn kernel(&self, count: usize) -> (Groups, Value) {
        let n = self.qubits;
        let bits = n.min(3);
        let lanes = 1 << (n - bits);
        let per_group = (64usize / lanes).max(1);
        let passes: Vec<Value> = (0..n.div_ceil(3))
            .map(|pass| {
                let low = (n - bits).saturating_sub(3 * pass);
                let gates: Vec<Value> = (3 * pass..n.min(3 * pass + 3))
                    .map(|qubit| {
                        let bit = 1usize << (n - 1 - qubit - low);
                        let pairs: Vec<[usize; 2]> = (0..1 << bits)
                            .filter(|k| k & bit == 0)
                            .map(|k| [k, k | bit])
                            .collect();
                        json!({ "qubit": qubit, "pairs": pairs })
                    })
                    .collect();
                json!({ "low": low, "step": 1 << low, "gates": gates })
            })
            .collect();
        let groups = Groups::for_count(count.div_ceil(per_group));
        let constants = json!({
            "groups_x": groups.x, "p": per_group, "threads": per_group * lanes, "lanes": lanes, "regs": 1 << bits,
            "bits": bits, "size": 1 << n, "top": n / 2, "last": passes.len() - 1, "passes": passes,
        });
        (groups, merge(constants, &self.constants(count)))
    }

    /// What all kernels of circuits need to know.
    fn constants(&self, count: usize) -> Value {
        let order = self
            .map
            .as_ref()
            .map_or(CircuitOrder::Circuits, WeightMap::order);
        let positions = order.positions();
        json!({
            "qubits": self.qubits, "blocks": self.blocks, "count": count, "used": self.used,
            "angles": self.ansatz.angles(self.qubits, self.blocks), "positions": positions, "targets": count / positions,
            "columns": matches!(order, CircuitOrder::Columns { .. }),
            "probability": self.readout == Readout::Probability, "scale": self.scale, "offset": self.offset,
        })
    }

    /// Whether the kernels of the HQC-TF circuit serve: they hold a state in workgroup memory.
    fn is_fast(&self) -> bool {
        self.ansatz.is_hqc_tf() && self.qubits <= 11
    }

    /// Workgroups and constants of the gate-by-gate kernels.
    fn gates(&self, count: usize) -> (Groups, Value) {
        let groups = Groups::for_count(count);
        let threads = (1usize << (self.qubits - 1)).clamp(32, 256);
        let constants = json!({
            "groups_x": groups.x, "threads": threads, "size": 1 << self.qubits, "in_workgroup": self.in_workgroup(),
        });
        let layers = gate_kernels::layers(&self.ansatz, self.qubits, self.blocks);
        let constants = merge(constants, &layers);
        (groups, merge(constants, &self.constants(count)))
    }

    /// Whether state and gradient fit into 16 KiB of workgroup memory, which every device has.
    fn in_workgroup(&self) -> bool {
        self.qubits <= 10
    }

    fn work(&self, circuits: usize) -> u64 {
        let amplitudes = 1u64 << self.qubits;
        let each = if self.ansatz.is_hqc_tf() {
            // The first block is a product state; each later one applies a complex 2x2 per qubit: 28 flops a pair.
            let later = self.blocks.saturating_sub(1) as u64 * self.qubits as u64;
            amplitudes * (8 + 14 * later)
        } else {
            let layers = |part: &[GateLayer]| part.iter().map(|l| self.layer_work(l)).sum::<u64>();
            let ansatz = &self.ansatz;
            let outside = layers(&ansatz.before) + layers(&ansatz.after);
            4 * amplitudes + outside + self.blocks as u64 * layers(&ansatz.block)
        };
        circuits as u64 * each
    }

    /// Flops of a layer: complex products with the blocks of its gate's matrix. Moving amplitudes is free.
    fn layer_work(&self, layer: &GateLayer) -> u64 {
        let unitary = (layer.gate().unitary)();
        if unitary.permutation().is_some() {
            return 0;
        }
        let flops = |block: &Vec<usize>| (8 * block.len() * block.len() - 2 * block.len()) as u64;
        let once: u64 = unitary.blocks().iter().map(flops).sum();
        let gates = layer.count(self.qubits) as u64;
        gates * once * ((1 << self.qubits) / unitary.size()) as u64
    }
}

impl Named for Circuit {
    const NAME: &'static str = "circuit";
    const DOC: &'static str =
        "amplitudes or probabilities of one variational circuit per row of angles";
}

impl Op for Circuit {
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
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        self.work(inputs[0].shape[0])
    }
}

impl Gradient for Circuit {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let theta = back.input(0);
        Ok(vec![Some(back.add(
            CircuitGrad {
                circuit: self.clone(),
            },
            &[theta, dy],
        )?)])
    }
}

impl Lower for Circuit {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let count = lowering.input(0).shape[0];
        let mut operands = vec![("theta", Operand::Input(0)), ("y", Operand::Output)];
        if self.is_fast() {
            let (groups, constants) = self.kernel(count);
            return lowering.dispatch(Self::NAME, constants, &operands, groups);
        }
        let (groups, constants) = self.gates(count);
        if !self.in_workgroup() {
            operands.push(("psi", lowering.scratch(count << (self.qubits + 1))));
        }
        lowering.dispatch("shared/circuit_by_gates", constants, &operands, groups)
    }
}

impl ToOnnx for Circuit {}

impl Named for CircuitGrad {
    const NAME: &'static str = "circuit_grad";
    const DOC: &'static str = "adjoint differentiation of circuit";
}

impl Op for CircuitGrad {
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

impl Gradient for CircuitGrad {}

impl Lower for CircuitGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let (circuit, count) = (&self.circuit, lowering.input(0).shape[0]);
        let mut operands = vec![
            ("theta", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("dtheta", Operand::Output),
        ];
        if circuit.is_fast() {
            let (groups, constants) = circuit.kernel(count);
            return lowering.dispatch(Self::NAME, constants, &operands, groups);
        }
        let (groups, constants) = circuit.gates(count);
        if !circuit.in_workgroup() {
            for name in ["psi", "lambda"] {
                operands.push((name, lowering.scratch(count << (circuit.qubits + 1))));
            }
        }
        lowering.dispatch("shared/circuit_grad_by_gates", constants, &operands, groups)
    }
}

impl ToOnnx for CircuitGrad {}
