//! From the description of an ansatz to its gates, one by one.

use super::gates::{self, Gate};
use serde::{Deserialize, Serialize};

/// Which qubits a layer of gates touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Every qubit (gates of one qubit).
    All,
    /// `q -> (q + 1) mod N` for q = 0..N-1, one after another; nothing when N = 1.
    Ring,
    /// `q -> q + 1` for q = 0..N-2, one after another.
    Chain,
}

/// One gate on a pattern of qubits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// The gate's name in [`gates::GATES`].
    pub gate: String,
    /// Where it goes.
    pub on: Pattern,
}

/// A circuit on |0..0>, for any number of qubits and blocks.
///
/// Angles come in rows of N, one row per layer of rotations, in time order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ansatz {
    /// Layers before the repeated part.
    pub before: Vec<Layer>,
    /// Layers repeated `blocks` times.
    pub block: Vec<Layer>,
    /// Layers after it.
    pub after: Vec<Layer>,
}

/// Why a description is not a circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnsatzError {
    /// No such gate.
    #[error("there is no gate `{0}`")]
    UnknownGate(String),
    /// A gate of one qubit on a ring or chain, or a gate of two on `all`.
    #[error("`{0}` acts on {1}")]
    Pattern(String, &'static str),
    /// Nothing to train.
    #[error("the circuit has no rotation in its repeated part, so it has nothing to train")]
    NoAngles,
}

/// One step in time.
#[derive(Clone, Debug)]
pub enum Step {
    /// A gate on one qubit; `angle` indexes the circuit's angles.
    Single {
        /// The gate.
        gate: &'static Gate,
        /// The qubit, 0 being the most significant bit.
        qubit: usize,
        /// Index of its angle, for a rotation.
        angle: Option<usize>,
    },
    /// A gate on a control and a target.
    Controlled {
        /// The gate.
        gate: &'static Gate,
        /// The control.
        control: usize,
        /// The target.
        target: usize,
    },
    /// A run of CNOT gates at once: `new[i] = old[source[i]]`.
    Permute {
        /// Where each amplitude comes from.
        source: Vec<u32>,
    },
}

impl Ansatz {
    /// The circuit of HQC-TF: `h(all) repeat blocks { ry(all) rx(all) cnot(ring) }`.
    ///
    /// Source: Scientific Reports 2026, doi 10.1038/s41598-026-40127-z, Eq. 1.
    pub fn hqc_tf() -> Self {
        let layer = |gate: &str, on| Layer {
            gate: gate.to_owned(),
            on,
        };
        Self {
            before: vec![layer("h", Pattern::All)],
            block: vec![
                layer("ry", Pattern::All),
                layer("rx", Pattern::All),
                layer("cnot", Pattern::Ring),
            ],
            after: Vec::new(),
        }
    }

    /// Whether this is [`Ansatz::hqc_tf`], for which executors have a faster way.
    pub fn is_hqc_tf(&self) -> bool {
        *self == Self::hqc_tf()
    }

    /// Checks gates and patterns.
    pub fn check(&self) -> Result<(), AnsatzError> {
        for layer in self.before.iter().chain(&self.block).chain(&self.after) {
            let gate = gates::gate(&layer.gate)
                .ok_or_else(|| AnsatzError::UnknownGate(layer.gate.clone()))?;
            match (gate.arity, layer.on) {
                (1, Pattern::All) | (2, Pattern::Ring | Pattern::Chain) => {}
                (1, _) => {
                    return Err(AnsatzError::Pattern(
                        layer.gate.clone(),
                        "one qubit: write `all`",
                    ));
                }
                _ => {
                    return Err(AnsatzError::Pattern(
                        layer.gate.clone(),
                        "two qubits: write `ring` or `chain`",
                    ));
                }
            }
        }
        if rows(&self.block) == 0 {
            return Err(AnsatzError::NoAngles);
        }
        Ok(())
    }

    /// Shape of one circuit's angles: `[blocks, axes, N]`, or `[rows, N]` where layers outside the
    /// repeated part have angles too.
    pub fn angle_shape(&self, qubits: usize, blocks: usize) -> Vec<usize> {
        let (outside, axes) = (rows(&self.before) + rows(&self.after), rows(&self.block));
        if outside == 0 {
            vec![blocks, axes, qubits]
        } else {
            vec![outside + blocks * axes, qubits]
        }
    }

    /// Angles of one circuit.
    pub fn angles(&self, qubits: usize, blocks: usize) -> usize {
        self.angle_shape(qubits, blocks).iter().product()
    }

    /// The circuit in time order, runs of CNOT gates joined into one permutation. Unknown gates,
    /// which [`Ansatz::check`] reports, are left out.
    pub fn steps(&self, qubits: usize, blocks: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut row = 0;
        let repeated = (0..blocks).flat_map(|_| &self.block);
        for layer in self.before.iter().chain(repeated).chain(&self.after) {
            let Some(gate) = gates::gate(&layer.gate) else {
                continue;
            };
            if gate.arity == 1 {
                for qubit in 0..qubits {
                    let angle = gate.generator.map(|_| row * qubits + qubit);
                    steps.push(Step::Single { gate, qubit, angle });
                }
                row += usize::from(gate.generator.is_some());
                continue;
            }
            let pairs = pairs(layer.on, qubits);
            if gate.name == "cnot" {
                let run = cnot_source(qubits, &pairs);
                if let Some(Step::Permute { source }) = steps.last_mut() {
                    *source = run.iter().map(|&i| source[i as usize]).collect();
                } else if !pairs.is_empty() {
                    steps.push(Step::Permute { source: run });
                }
                continue;
            }
            for (control, target) in pairs {
                steps.push(Step::Controlled {
                    gate,
                    control,
                    target,
                });
            }
        }
        steps
    }
}

fn rows(layers: &[Layer]) -> usize {
    layers
        .iter()
        .filter(|layer| gates::gate(&layer.gate).is_some_and(|gate| gate.generator.is_some()))
        .count()
}

/// Control and target of each gate of a pattern, in time order.
pub fn pairs(on: Pattern, qubits: usize) -> Vec<(usize, usize)> {
    match on {
        Pattern::All => Vec::new(),
        Pattern::Chain => (1..qubits).map(|q| (q - 1, q)).collect(),
        Pattern::Ring if qubits < 2 => Vec::new(),
        Pattern::Ring => (0..qubits).map(|q| (q, (q + 1) % qubits)).collect(),
    }
}

/// The permutation a run of CNOT gates makes: `new[i] = old[source[i]]`.
pub fn cnot_source(qubits: usize, pairs: &[(usize, usize)]) -> Vec<u32> {
    let bit = |q: usize| qubits - 1 - q;
    (0..1u32 << qubits)
        .map(|i| {
            pairs.iter().rev().fold(i, |i, &(control, target)| {
                i ^ (((i >> bit(control)) & 1) << bit(target))
            })
        })
        .collect()
}

/// Qubits whose state has room for `amplitudes`: `max(1, ceil(log2(amplitudes)))`.
pub fn qubits_for(amplitudes: usize) -> usize {
    (amplitudes.max(2).next_power_of_two().trailing_zeros()) as usize
}
