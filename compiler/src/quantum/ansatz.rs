//! From the description of an ansatz to its gates, one by one.

use super::gates::{self, Gate};
use serde::{Deserialize, Serialize};

/// Which qubits a layer of gates touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QubitPattern {
    /// Every qubit (gates of one qubit).
    All,
    /// `q -> (q + 1) mod N` for q = 0..N-1, one after another; nothing when N = 1.
    Ring,
    /// `q -> q + 1` for q = 0..N-2, one after another.
    Chain,
}

impl QubitPattern {
    /// The qubits of each gate of a layer on `qubits`, in time order.
    pub fn operands(self, qubits: usize) -> Vec<Vec<usize>> {
        match self {
            Self::All => (0..qubits).map(|q| vec![q]).collect(),
            Self::Chain => (1..qubits).map(|q| vec![q - 1, q]).collect(),
            Self::Ring if qubits < 2 => Vec::new(),
            Self::Ring => (0..qubits).map(|q| vec![q, (q + 1) % qubits]).collect(),
        }
    }

    /// Words of the language, and which qubits they mean.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("all", Self::All),
        ("chain", Self::Chain),
        ("ring", Self::Ring),
    ];

    /// Which qubits it means, in a sentence.
    pub const fn doc(self) -> &'static str {
        match self {
            Self::All => "a gate of one qubit on every qubit",
            Self::Chain => "a gate of two qubits on 0 and 1, 1 and 2, and so on, one after another",
            Self::Ring => "as chain, then on the last qubit and the first",
        }
    }

    /// How many gates a layer has: the length of [`QubitPattern::operands`].
    pub const fn count(self, qubits: usize) -> usize {
        match self {
            Self::All => qubits,
            Self::Chain => qubits.saturating_sub(1),
            Self::Ring if qubits < 2 => 0,
            Self::Ring => qubits,
        }
    }

    /// How many qubits each gate of a layer acts on.
    pub const fn arity(self) -> usize {
        match self {
            Self::All => 1,
            Self::Ring | Self::Chain => 2,
        }
    }
}

/// One gate on a pattern of qubits.
///
/// Its angles lie in rows: the first angle of every gate in time order, then the second of every gate, and so on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredLayer", into = "StoredLayer")]
pub struct GateLayer {
    gate: &'static Gate,
    on: QubitPattern,
}

/// [`GateLayer`] as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredLayer {
    gate: String,
    on: QubitPattern,
}

impl From<GateLayer> for StoredLayer {
    fn from(layer: GateLayer) -> Self {
        Self {
            gate: layer.gate.name.to_owned(),
            on: layer.on,
        }
    }
}

impl TryFrom<StoredLayer> for GateLayer {
    type Error = AnsatzError;
    fn try_from(text: StoredLayer) -> Result<Self, AnsatzError> {
        let gate = gates::gate(&text.gate).ok_or(AnsatzError::UnknownGate(text.gate))?;
        Self::new(gate, text.on)
    }
}

impl GateLayer {
    /// A layer of `gate`.
    ///
    /// # Errors
    /// A gate of one qubit on a ring or chain, or a gate of two on `all`.
    pub fn new(gate: &'static Gate, on: QubitPattern) -> Result<Self, AnsatzError> {
        if gate.qubits == on.arity() {
            Ok(Self { gate, on })
        } else {
            let qubits = ["one qubit", "two qubits"][gate.qubits - 1];
            Err(AnsatzError::Arity(gate.name, qubits))
        }
    }

    /// The gate.
    pub fn gate(&self) -> &'static Gate {
        self.gate
    }

    /// How many gates it has.
    pub fn count(&self, qubits: usize) -> usize {
        self.on.count(qubits)
    }

    /// How many angles it has.
    pub fn angles(&self, qubits: usize) -> usize {
        self.gate.angles() * self.count(qubits)
    }

    /// Its gates, in time order; its angles begin at `first`.
    pub fn placed(&self, qubits: usize, first: usize) -> impl Iterator<Item = Placed> {
        let operands = self.on.operands(qubits);
        let (gate, count) = (self.gate, operands.len());
        let place = move |(at, qubits)| Placed {
            gate,
            qubits,
            angles: (0..gate.angles()).map(|k| first + k * count + at).collect(),
        };
        operands.into_iter().enumerate().map(place)
    }
}

/// One gate in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The gate.
    pub gate: &'static Gate,
    /// The qubits that it acts on; 0 is the most significant bit.
    pub qubits: Vec<usize>,
    /// Index of each of its angles among the circuit's.
    pub angles: Vec<usize>,
}

impl Placed {
    /// The place of each of its qubits in an index of `qubits` bits, 0 being the least significant one.
    pub fn bits(&self, qubits: usize) -> Vec<u32> {
        let bit = |q: &usize| (qubits - 1 - q) as u32;
        self.qubits.iter().map(bit).collect()
    }
}

/// A circuit on |0..0>, for any number of qubits and blocks.
///
/// Angles come in time order, layer by layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ansatz {
    /// Layers before the repeated part.
    pub before: Vec<GateLayer>,
    /// Layers repeated `blocks` times.
    pub block: Vec<GateLayer>,
    /// Layers after it.
    pub after: Vec<GateLayer>,
}

/// Why a description is not a circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnsatzError {
    /// No such gate.
    #[error("there is no gate called `{0}`")]
    UnknownGate(String),
    /// A gate of one qubit on a ring or chain, or a gate of two on `all`.
    #[error("`{0}` acts on {1}")]
    Arity(&'static str, &'static str),
    /// Nothing to train.
    #[error("the circuit has no rotation in its repeated part, so it has nothing to train")]
    NoAngles,
}

/// A stretch of a circuit between two barriers.
#[derive(Clone, Debug)]
pub struct CircuitPart {
    /// What it is: `start`, `block 1`, `end`.
    pub label: String,
    /// Its gates in time order.
    pub gates: Vec<Placed>,
}

impl Ansatz {
    /// The circuit of HQC-TF: `h(all) repeat blocks { ry(all) rx(all) cnot(ring) }`.
    ///
    /// Source: Scientific Reports 2026, doi 10.1038/s41598-026-40127-z, Eq. 1.
    pub fn hqc_tf() -> Self {
        let layer = |gate, on| GateLayer { gate, on };
        Self {
            before: vec![layer(&gates::H, QubitPattern::All)],
            block: vec![
                layer(&gates::RY, QubitPattern::All),
                layer(&gates::RX, QubitPattern::All),
                layer(&gates::CNOT, QubitPattern::Ring),
            ],
            after: Vec::new(),
        }
    }

    /// Whether its layers have the unitaries and patterns of [`Ansatz::hqc_tf`]: a product state, blocks of RX RY on every
    /// qubit and a ring that only moves basis states, for which executors have a faster way.
    pub fn is_hqc_tf(&self) -> bool {
        let equal = |ours: &[GateLayer], theirs: &[GateLayer]| {
            let equal = |(a, b): (&GateLayer, &GateLayer)| {
                let same =
                    || (a.gate.unitary)() == (b.gate.unitary)() && a.gate.rates == b.gate.rates;
                a.on == b.on && (a.gate == b.gate || same())
            };
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(equal)
        };
        let hqc_tf = Self::hqc_tf();
        equal(&self.before, &hqc_tf.before)
            && equal(&self.block, &hqc_tf.block)
            && equal(&self.after, &hqc_tf.after)
    }

    /// Checks that there is something to train.
    ///
    /// # Errors
    /// No gate of the repeated part has an angle.
    pub fn check(&self) -> Result<(), AnsatzError> {
        if self.block.iter().any(|layer| layer.gate.angles() > 0) {
            Ok(())
        } else {
            Err(AnsatzError::NoAngles)
        }
    }

    /// Shape of one circuit's angles: `[blocks, axes, N]` where every layer with angles has one or more per qubit, `axes`
    /// the sum of both; `[rows, N]` where layers outside the repeated part have angles too; `[blocks, angles]` or
    /// `[angles]` where some layer, such as `crx(chain)`, has other numbers of them.
    pub fn angle_shape(&self, qubits: usize, blocks: usize) -> Vec<usize> {
        let outside = sum(&self.before, qubits) + sum(&self.after, qubits);
        let block = sum(&self.block, qubits);
        let mut layers = self.before.iter().chain(&self.block).chain(&self.after);
        let in_rows = layers.all(|layer| layer.angles(qubits) % qubits == 0);
        match (in_rows, outside) {
            (true, 0) => vec![blocks, block / qubits, qubits],
            (true, _) => vec![(outside + blocks * block) / qubits, qubits],
            (false, 0) => vec![blocks, block],
            (false, _) => vec![outside + blocks * block],
        }
    }

    /// Angles of one circuit.
    pub fn angles(&self, qubits: usize, blocks: usize) -> usize {
        self.angle_shape(qubits, blocks).iter().product()
    }

    /// The circuit in time order: what comes before the blocks, each block, what comes after. Parts without a gate are left
    /// out.
    pub fn parts(&self, qubits: usize, blocks: usize) -> Vec<CircuitPart> {
        let mut first = 0;
        let mut part = |label: String, layers: &[GateLayer]| {
            let mut gates = Vec::new();
            for layer in layers {
                gates.extend(layer.placed(qubits, first));
                first += layer.angles(qubits);
            }
            CircuitPart { label, gates }
        };
        let mut parts = vec![part("start".to_owned(), &self.before)];
        for block in 1..=blocks {
            parts.push(part(format!("block {block}"), &self.block));
        }
        parts.push(part("end".to_owned(), &self.after));
        parts.retain(|part| !part.gates.is_empty());
        parts
    }
}

/// The permutation of basis states that gates make which only move them: `new[i] = old[source[i]]`. Each comes with
/// [`Unitary::permutation`](super::unitary::Unitary::permutation) of its own.
pub fn permutation(qubits: usize, run: &[(Placed, Vec<usize>)]) -> Vec<u32> {
    let moved = |i: u32, (placed, source): &(Placed, Vec<usize>)| {
        let bits = placed.bits(qubits);
        let state = bits.iter().fold(0, |state, bit| 2 * state + (i >> bit & 1));
        let old = source[state as usize] as u32;
        let places = bits.iter().rev().enumerate();
        places.fold(i, |i, (place, bit)| {
            i & !(1 << bit) | (old >> place & 1) << bit
        })
    };
    // The last gate takes its state from where the one before it left it, and so on.
    let origin = |i| run.iter().rev().fold(i, moved);
    (0..1u32 << qubits).map(origin).collect()
}

/// Angles of layers.
fn sum(layers: &[GateLayer], qubits: usize) -> usize {
    layers.iter().map(|layer| layer.angles(qubits)).sum()
}

/// Qubits whose state has room for `amplitudes`: `max(1, ceil(log2(amplitudes)))`.
pub fn qubits_for(amplitudes: usize) -> usize {
    (amplitudes.max(2).next_power_of_two().trailing_zeros()) as usize
}
