//! A circuit drawn as SVG.

use std::fmt::Write as _;

use super::{Column, Picture, columns, lines, reach};
use crate::quantum::ansatz::Placed;
use crate::quantum::gates::Mark;

/// Distance of two wires. Units: pixels, as all below.
const WIRE: usize = 44;
/// Height of a gate's box.
const BOX: usize = 32;
/// Width of the drawn wires before a circuit is folded.
const WIDTH: usize = 1040;
/// Room for the names of the wires.
const LABEL: usize = 84;
/// Distance to the edge.
const MARGIN: usize = 24;
/// Height of a line of text.
const LINE: usize = 20;

/// Colour of gates with angles, which are trained.
const TRAINED: &str = "#d9c2f0";
/// Colour of gates without an angle.
const FIXED: &str = "#cfe3fa";

/// Width of a box with so many angles in it.
fn box_width(angles: usize) -> usize {
    match angles {
        0 => 32,
        _ => 18 + 36 * angles,
    }
}

/// Room that a column takes.
fn width(column: &Column) -> usize {
    let angles = column.gates.iter().map(|placed| placed.angles.len());
    let angles = angles.max().unwrap_or(0);
    let begins = column.begins.as_ref().map_or(0, |_| 20);
    begins + box_width(angles) + if angles > 0 { 10 } else { 12 }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn draw_gate(svg: &mut String, picture: &Picture<'_>, placed: &Placed, x: usize, top: usize) {
    let y = |qubit: usize| top + qubit * WIRE;
    let (from, to) = reach(placed);
    if from < to {
        let (from, to) = (y(from), y(to));
        let _ = writeln!(svg, r#"<path d="M{x} {from}V{to}" class="link"/>"#);
    }
    let marks = placed.gate.marks;
    for (at, (&qubit, mark)) in placed.qubits.iter().zip(marks).enumerate() {
        let y = y(qubit);
        *svg += &match mark {
            Mark::Dot => format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"5\"/>\n"),
            Mark::Plus => format!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"11\" class=\"not\"/>\
                 <path d=\"M{} {y}h22M{x} {}v22\" class=\"link\"/>\n",
                x - 11,
                y - 11
            ),
            Mark::Cross => format!(
                "<path d=\"M{} {}l12 12m0 -12l-12 12\" class=\"link\"/>\n",
                x - 6,
                y - 6
            ),
            Mark::Boxed(symbol) if at + 1 == marks.len() => boxed(
                symbol,
                &picture.angle_text(placed),
                placed.angles.len(),
                x,
                y,
            ),
            Mark::Boxed(symbol) => boxed(symbol, "", placed.angles.len(), x, y),
        };
    }
}

/// A box around `symbol` and the text of `count` angles, which may stand in another box of the same gate.
fn boxed(symbol: &str, angles: &str, count: usize, x: usize, y: usize) -> String {
    let fill = if count > 0 { TRAINED } else { FIXED };
    let (width, baseline) = if angles.is_empty() {
        (box_width(0), y + 5)
    } else {
        (box_width(count), y - 2)
    };
    let (left, top) = (x - width / 2, y - BOX / 2);
    let angles = if angles.is_empty() {
        String::new()
    } else {
        format!(
            "<text x=\"{x}\" y=\"{}\" class=\"angle\">{angles}</text>",
            y + 11
        )
    };
    format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\" rx=\"3\" fill=\"{fill}\"/>\
         <text x=\"{x}\" y=\"{baseline}\" class=\"gate\">{symbol}</text>{angles}\n"
    )
}

const STYLE: &str = "text{font-family:Helvetica,Arial,sans-serif;font-size:14px;fill:#222}\
    .title{font-size:17px;font-weight:bold}.note{font-size:13px;fill:#444}.gate{text-anchor:middle;font-size:14px}\
    .angle{text-anchor:middle;font-size:11px;fill:#444}.wire,.link{stroke:#222;stroke-width:1.3;fill:none}\
    .bar{stroke:#999;stroke-width:1;stroke-dasharray:3 4}.part{font-size:12px;fill:#666}\
    .not{fill:#fff;stroke:#222;stroke-width:1.3}rect{stroke:#222;stroke-width:1.2}circle{fill:#222}";

/// The circuit as an SVG picture: a wire per qubit, time from left to right, folded where it is too wide; trained rotations
/// are violet.
pub fn to_svg(picture: &Picture<'_>) -> String {
    let columns = columns(picture);
    let widths: Vec<usize> = columns.iter().map(width).collect();
    let folded = lines(&widths, WIDTH);
    let longest_line = folded
        .iter()
        .map(|line| widths[line.clone()].iter().sum::<usize>());
    let notes = picture.notes.iter().map(|note| note.chars().count());
    let text = notes.max().unwrap_or(0) * 13 / 2;
    let title = picture.title.chars().count() * 9;
    let inner = (LABEL + longest_line.max().unwrap_or(0) + MARGIN)
        .max(text)
        .max(title);
    let head = MARGIN + LINE * (picture.notes.len() + 1);
    let system = picture.qubits * WIRE + 2 * LINE;
    let (total_width, total_height) = (inner + 2 * MARGIN, head + folded.len() * system + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total_width}\" height=\"{total_height}\" \
         viewBox=\"0 0 {total_width} {total_height}\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect width=\"{total_width}\" height=\"{total_height}\" style=\"stroke:none\" fill=\"#fff\"/>\n",
        escape(picture.title)
    );
    let _ = writeln!(
        svg,
        r#"<text x="{MARGIN}" y="{}" class="title">{}</text>"#,
        MARGIN + 8,
        escape(picture.title)
    );
    for (at, note) in picture.notes.iter().enumerate() {
        let y = MARGIN + 12 + LINE * (at + 1);
        let _ = writeln!(
            svg,
            r#"<text x="{MARGIN}" y="{y}" class="note">{}</text>"#,
            escape(note)
        );
    }
    for (number, line) in folded.iter().enumerate() {
        let top = head + number * system + 2 * LINE + BOX / 2;
        draw_system(&mut svg, picture, &columns[line.clone()], number == 0, top);
    }
    svg + "</svg>\n"
}

/// One line of wires with its gates; `top` is the height of the first wire.
fn draw_system(
    svg: &mut String,
    picture: &Picture<'_>,
    columns: &[Column],
    first: bool,
    top: usize,
) {
    let start = MARGIN + LABEL;
    let end = start + columns.iter().map(width).sum::<usize>() + 16;
    let bottom = top + (picture.qubits - 1) * WIRE;
    for qubit in 0..picture.qubits {
        let y = top + qubit * WIRE;
        let state = if first { " |0⟩" } else { "" };
        let _ = writeln!(
            svg,
            r#"<text x="{}" y="{}" text-anchor="end">q{qubit}{state}</text><path d="M{start} {y}H{end}" class="wire"/>"#,
            start - 8,
            y + 5
        );
    }
    let mut x = start;
    for column in columns {
        let mut left = x;
        if let Some(label) = &column.begins {
            let bar = x + 8;
            let _ = writeln!(
                svg,
                r#"<path d="M{bar} {}V{}" class="bar"/><text x="{}" y="{}" class="part">{label}</text>"#,
                top - 30,
                bottom + 22,
                bar + 4,
                top - 22
            );
            left += 20;
        }
        x += width(column);
        for gate in &column.gates {
            draw_gate(svg, picture, gate, (left + x) / 2, top);
        }
    }
}
