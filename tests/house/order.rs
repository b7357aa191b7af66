//! An order of folders and files, and what breaks it.

use crate::arrows::{Arrows, circles};

/// Levels from the top to the bottom, each one or more entries with spaces between. An entry is a folder or a file without
/// its extension, below a crate whose `src` is left out: `compiler/graph`. The longest entry that fits a file is its own.
/// An arrow leads to a lower level, or stays inside one entry.
pub type Order<'o> = &'o [&'o str];

/// The level and the entry of a file.
fn place<'o>(order: Order<'o>, file: &str) -> Option<(usize, &'o str)> {
    let file = file.replacen("/src/", "/", 1);
    let file = file.trim_end_matches(".rs");
    let entries = order
        .iter()
        .enumerate()
        .flat_map(|(level, entries)| entries.split_whitespace().map(move |entry| (level, entry)));
    entries
        .filter(|(_, entry)| {
            let rest = file.strip_prefix(entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(_, entry)| entry.len())
}

/// One line for each arrow that leads up or to the side, and for each file that has no place in the order.
pub fn upward(order: Order, arrows: &Arrows) -> Vec<String> {
    let mut faults = Vec::new();
    for ((from, to), places) in arrows {
        let (Some(above), Some(below)) = (place(order, from), place(order, to)) else {
            for file in [from, to] {
                if place(order, file).is_none() {
                    faults.push(format!("{file} has no place in the order"));
                }
            }
            continue;
        };
        if above.1 != below.1 && above.0 >= below.0 {
            let lines = places.iter().map(|place| {
                let (line, path) = (place.line, &place.path);
                format!("{from}:{line} names `{path}` of {to}, which is not below it")
            });
            faults.extend(lines);
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// One text for each circle that is not, or not wholly, inside a known one, and for each known one of which nothing is left.
pub fn circular(arrows: &Arrows, known: &[&[&str]]) -> Vec<String> {
    let found = circles(arrows);
    let inside = |circle: &[String], known: &[&str]| {
        circle.iter().all(|file| known.contains(&file.as_str()))
    };
    let new = found
        .iter()
        .filter(|circle| !known.iter().any(|known| inside(circle, known)));
    let new = new.map(|circle| {
        let lines: String = arrows
            .iter()
            .filter(|((from, to), _)| circle.contains(from) && circle.contains(to))
            .flat_map(|((from, to), places)| {
                places.iter().map(move |place| {
                    format!("  {from}:{} names `{}` of {to}\n", place.line, place.path)
                })
            })
            .collect();
        format!("a circle of {} files:\n{lines}", circle.len())
    });
    let gone = known
        .iter()
        .filter(|known| !found.iter().any(|circle| inside(circle, known)));
    let gone = gone.map(|known| format!("no circle any more, take it off the list: {known:?}"));
    new.chain(gone).collect()
}
