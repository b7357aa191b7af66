//! A circuit as a picture: its gates in columns, drawn as text or as SVG.

mod svg;
mod text;

pub use svg::to_svg;
pub use text::to_text;

use super::ansatz::{Ansatz, Layer, pairs};
use super::gates::{self, Gate};

/// What is drawn: the gates, their angles, and what to say about them.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// Heading.
    pub title: &'a str,
    /// Lines of text that belong to the circuit.
    pub notes: &'a [String],
    /// The circuit.
    pub ansatz: &'a Ansatz,
    /// Number of qubits.
    pub qubits: usize,
    /// Number of repeated blocks.
    pub blocks: usize,
    /// The circuit's angles in time order. Units: radians.
    pub angles: &'a [f64],
}

/// One gate in its place.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// The gate.
    pub gate: &'static Gate,
    /// The qubit that decides, for a gate on two.
    pub control: Option<usize>,
    /// The qubit that it acts on; 0 is the most significant bit.
    pub target: usize,
    /// Index of its angle, for a rotation.
    pub angle: Option<usize>,
}

impl Placed {
    /// First and last wire that the gate touches or crosses.
    fn reach(&self) -> (usize, usize) {
        let other = self.control.unwrap_or(self.target);
        (self.target.min(other), self.target.max(other))
    }
}

/// A stretch of a circuit between two barriers.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is: `start`, `block 1`, `end`.
    pub label: String,
    /// Its gates in time order.
    pub gates: Vec<Placed>,
}

/// The gates of a circuit in time order, one by one: what stands before the blocks, each block, what stands behind.
/// Stretches without a gate are left out.
pub fn sections(ansatz: &Ansatz, qubits: usize, blocks: usize) -> Vec<Section> {
    let mut row = 0;
    let mut section = |label: String, layers: &[Layer]| {
        let mut placed = Vec::new();
        for layer in layers {
            let Some(gate) = gates::gate(&layer.gate) else {
                continue;
            };
            if gate.arity == 1 {
                let angle = |qubit| gate.generator.map(|_| row * qubits + qubit);
                placed.extend((0..qubits).map(|qubit| Placed {
                    gate,
                    control: None,
                    target: qubit,
                    angle: angle(qubit),
                }));
                row += usize::from(gate.generator.is_some());
            } else {
                let pairs = pairs(layer.on, qubits).into_iter();
                placed.extend(pairs.map(|(control, target)| Placed {
                    gate,
                    control: Some(control),
                    target,
                    angle: None,
                }));
            }
        }
        Section {
            label,
            gates: placed,
        }
    };
    let mut sections = vec![section("start".to_owned(), &ansatz.before)];
    for block in 1..=blocks {
        sections.push(section(format!("block {block}"), &ansatz.block));
    }
    sections.push(section("end".to_owned(), &ansatz.after));
    sections.retain(|section| !section.gates.is_empty());
    sections
}

/// Gates that are drawn above one another, and the section that begins with them.
struct Column {
    gates: Vec<Placed>,
    begins: Option<String>,
}

/// Puts each gate into the first column of its section in which the wires that it touches or crosses are free.
fn columns(picture: &Picture<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for section in sections(picture.ansatz, picture.qubits, picture.blocks) {
        let first = columns.len();
        let mut free = vec![first; picture.qubits];
        for gate in section.gates {
            let (from, to) = gate.reach();
            let at = free[from..=to].iter().copied().max().unwrap_or(first);
            if at == columns.len() {
                columns.push(Column {
                    gates: Vec::new(),
                    begins: None,
                });
            }
            columns[at].gates.push(gate);
            free[from..=to].fill(at + 1);
        }
        if let Some(column) = columns.get_mut(first) {
            column.begins = Some(section.label);
        }
    }
    columns
}

/// Cuts a row of columns into lines that are no wider than `limit`; each holds one column at least.
fn lines(widths: &[usize], limit: usize) -> Vec<std::ops::Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut width) = (0, 0);
    for (at, w) in widths.iter().enumerate() {
        if at > start && width + w > limit {
            lines.push(start..at);
            (start, width) = (at, 0);
        }
        width += w;
    }
    if start < widths.len() {
        lines.push(start..widths.len());
    }
    lines
}

/// An angle for people.
fn angle(value: f64) -> String {
    format!("{value:.3}")
}
