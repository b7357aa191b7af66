//! Tables of plain text.

use super::printable::printable;

/// Which side the entries of a column keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header line, printed with two spaces between columns.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        Table {
            columns: columns
                .into_iter()
                .map(|(name, align)| (name.to_string(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing entries are empty.
    pub fn row<S: Into<String>>(&mut self, entries: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = entries
            .into_iter()
            .map(|entry| {
                let entry: String = entry.into();
                printable(&entry).into_owned()
            })
            .collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let lines = || std::iter::once(&header).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| lines().map(|row| row[c].chars().count()).max().unwrap_or(0))
            .collect();
        for row in lines() {
            let mut line = String::new();
            for ((entry, (_, align)), &width) in row.iter().zip(&self.columns).zip(&widths) {
                match align {
                    Align::Left => line.push_str(&format!("{entry:<width$}  ")),
                    Align::Right => line.push_str(&format!("{entry:>width$}  ")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A count with thin groups of three digits: 31,036,481.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in bytes with a binary unit: 1.5 MiB.
pub fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// A count with a decimal unit: 2.3 G.
pub fn si(count: f64) -> String {
    scaled(count, 1000.0, &["", "k", "M", "G", "T", "P"])
        .trim_end()
        .to_string()
}

fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut at = 0;
    while value >= base && at + 1 < units.len() {
        value /= base;
        at += 1;
    }
    if at == 0 {
        format!("{value} {}", units[0])
    } else {
        format!("{value:.1} {}", units[at])
    }
}

/// A length of time: 12.0 µs, 1.25 ms, 950 ms, 12.3 s, 3 min 20 s, 2 h 5 min.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 0.1 => format!("{:.2} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("layer", Align::Left), ("n", Align::Right)]);
        table.row(["conv", "12"]);
        table.row(["a", "3"]);
        assert_eq!(table.to_string(), "layer   n\nconv   12\na       3\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(31_036_481), "31,036,481");
        assert_eq!(grouped(12), "12");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(si(2.3e12), "2.3 T");
        assert_eq!(duration(200.0), "3 min 20 s");
    }
}
