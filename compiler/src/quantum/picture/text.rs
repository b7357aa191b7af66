//! A circuit drawn with characters.

use super::{Column, Picture, columns, lines, reach};
use crate::quantum::ansatz::Placed;
use crate::quantum::gates::Mark;

/// Widest line. Units: characters.
const WIDTH: usize = 100;

/// A drawing area of characters.
struct Canvas {
    rows: Vec<Vec<char>>,
}

impl Canvas {
    /// Row of a wire.
    const fn wire(qubit: usize) -> usize {
        2 * qubit + 1
    }

    fn new(qubits: usize) -> Self {
        Self {
            rows: vec![Vec::new(); 2 * qubits],
        }
    }

    fn width(&self) -> usize {
        self.rows[1].len()
    }

    /// Adds `width` columns of bare wire.
    fn extend(&mut self, width: usize) {
        for (at, row) in self.rows.iter_mut().enumerate().skip(1) {
            let c = if at % 2 == 1 { '─' } else { ' ' };
            row.extend(std::iter::repeat_n(c, width));
        }
    }

    /// Writes above the wires, further than they reach if need be.
    fn head(&mut self, x: usize, text: &str) {
        let length = (x + text.chars().count()).max(self.rows[0].len());
        self.rows[0].resize(length, ' ');
        self.write(0, x, text);
    }

    fn write(&mut self, row: usize, x: usize, text: &str) {
        for (at, c) in text.chars().enumerate() {
            if let Some(place) = self.rows[row].get_mut(x + at) {
                *place = c;
            }
        }
    }
}

/// What is written on each wire that a gate acts on.
fn marks(picture: &Picture<'_>, placed: &Placed) -> Vec<String> {
    let marks = placed.gate.marks;
    let angles = picture.angle_text(placed);
    let mark = |(at, mark): (usize, &Mark)| match mark {
        Mark::Dot => "●".to_owned(),
        Mark::Plus => "⊕".to_owned(),
        Mark::Cross => "╳".to_owned(),
        Mark::Boxed(text) if at + 1 < marks.len() || angles.is_empty() => format!("┤{text}├"),
        Mark::Boxed(text) => format!("┤{text} {angles}├"),
    };
    marks.iter().enumerate().map(mark).collect()
}

fn width(picture: &Picture<'_>, column: &Column) -> usize {
    let widest = column
        .gates
        .iter()
        .flat_map(|gate| marks(picture, gate))
        .map(|mark| mark.chars().count())
        .max();
    let begins = column.begins.as_ref().map_or(0, |_| 2);
    widest.unwrap_or(1) + 1 + begins
}

fn draw(canvas: &mut Canvas, picture: &Picture<'_>, column: &Column) {
    let mut x = canvas.width();
    canvas.extend(width(picture, column));
    if let Some(label) = &column.begins {
        canvas.head(x, label);
        for row in 1..canvas.rows.len() {
            canvas.write(row, x, "┊");
        }
        x += 2;
    }
    let inner = canvas.width() - x - 1;
    for gate in &column.gates {
        let centre = x + (inner - 1) / 2;
        let (from, to) = reach(gate);
        for row in Canvas::wire(from) + 1..Canvas::wire(to) {
            canvas.write(row, centre, if row % 2 == 1 { "┼" } else { "│" });
        }
        for (qubit, mark) in gate.qubits.iter().zip(marks(picture, gate)) {
            let left = x + (inner - mark.chars().count()) / 2;
            canvas.write(Canvas::wire(*qubit), left, &mark);
        }
    }
}

/// The circuit as text: a line per qubit, time from left to right, folded at 100 characters.
pub fn to_text(picture: &Picture<'_>) -> String {
    let mut text = format!("{}\n", picture.title);
    for note in picture.notes {
        text += &format!("  {note}\n");
    }
    let columns = columns(picture);
    let widths: Vec<usize> = columns.iter().map(|c| width(picture, c)).collect();
    let digits = picture.qubits.saturating_sub(1).to_string().len();
    let label = "q |0> ".len() + digits;
    let folded = lines(&widths, WIDTH - label - 2);
    for (number, line) in folded.iter().enumerate() {
        let mut canvas = Canvas::new(picture.qubits);
        canvas.extend(label);
        for row in 1..canvas.rows.len() {
            canvas.write(row, 0, &" ".repeat(label));
        }
        for qubit in 0..picture.qubits {
            let state = if number == 0 { "|0>" } else { "..." };
            let name = format!("q{qubit:<digits$} {state}");
            canvas.write(Canvas::wire(qubit), 0, &name);
        }
        for column in &columns[line.clone()] {
            draw(&mut canvas, picture, column);
        }
        if number + 1 < folded.len() {
            canvas.extend(1);
        }
        text.push('\n');
        for row in canvas.rows {
            let line: String = row.into_iter().collect();
            text += line.trim_end();
            text.push('\n');
        }
    }
    text
}
