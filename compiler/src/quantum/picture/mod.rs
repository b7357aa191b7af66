//! A circuit as a picture: its gates in columns, drawn as text or as SVG.

mod svg;
mod text;

pub use svg::to_svg;
pub use text::to_text;

use super::ansatz::{Ansatz, Placed};

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

impl Picture<'_> {
    /// The angles of a gate. Units: radians.
    pub(super) fn angles_of(&self, placed: &Placed) -> impl Iterator<Item = f64> {
        placed
            .angles
            .iter()
            .filter_map(|&at| self.angles.get(at).copied())
    }

    /// The angles of a gate for people, `0.100 0.200`.
    fn angle_text(&self, placed: &Placed) -> String {
        let angles: Vec<String> = self
            .angles_of(placed)
            .map(|angle| format!("{angle:.3}"))
            .collect();
        angles.join(" ")
    }
}

/// First and last wire that a gate touches or crosses.
fn reach(placed: &Placed) -> (usize, usize) {
    let qubits = || placed.qubits.iter().copied();
    (qubits().min().unwrap_or(0), qubits().max().unwrap_or(0))
}

/// Gates that are drawn above one another, and the section that begins with them.
struct Column {
    gates: Vec<Placed>,
    begins: Option<String>,
}

/// Puts each gate into the first column of its section in which the wires that it touches or crosses are free.
fn columns(picture: &Picture<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for section in picture.ansatz.parts(picture.qubits, picture.blocks) {
        let first = columns.len();
        let mut free = vec![first; picture.qubits];
        for gate in section.gates {
            let (from, to) = reach(&gate);
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
