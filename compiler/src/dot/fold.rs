//! Boxes that follow each other without a branch become one.

use std::collections::{BTreeMap, BTreeSet};

use super::figure::{Drawing, Figure, GENERATED, Stands};

/// Lines that a box may have.
const LINES: usize = 14;

/// Joins the layers of a block that form a chain, and blocks of one name with successive numbers.
pub fn fold(drawing: Drawing) -> Drawing {
    let Drawing { figures, edges } = drawing;
    let (mut to, mut from) = (
        vec![BTreeSet::new(); figures.len()],
        vec![BTreeSet::new(); figures.len()],
    );
    for (a, b, _) in &edges {
        to[*a].insert(*b);
        from[*b].insert(*a);
    }
    let next = |at: usize| -> Option<usize> {
        let (&[only], true) = (
            to[at].iter().copied().collect::<Vec<_>>().as_slice(),
            to[at].len() == 1,
        ) else {
            return None;
        };
        (from[only].len() == 1 && alike(&figures[at], &figures[only])).then_some(only)
    };
    let followers: BTreeMap<usize, usize> = (0..figures.len())
        .filter_map(|at| Some((at, next(at)?)))
        .collect();
    let inside: BTreeSet<usize> = followers.values().copied().collect();
    let mut place = vec![0; figures.len()];
    let mut folded: Vec<Figure> = Vec::new();
    for start in (0..figures.len()).filter(|at| !inside.contains(at)) {
        let mut chain = vec![start];
        let mut last = start;
        while let Some(&after) = followers.get(&last) {
            chain.push(after);
            last = after;
        }
        for part in chain.chunks(LINES) {
            part.iter().for_each(|&at| place[at] = folded.len());
            let members: Vec<_> = part.iter().map(|&at| &figures[at]).collect();
            folded.push(joined(&members));
        }
    }
    let edges = edges
        .into_iter()
        .map(|(a, b, shape)| (place[a], place[b], shape));
    let edges = edges.filter(|(a, b, _)| a != b).collect();
    Drawing {
        figures: folded,
        edges,
    }
}

/// Whether two boxes, one behind the other, can be one.
fn alike(a: &Figure, b: &Figure) -> bool {
    let same = a.stands == b.stands && a.clusters == b.clusters && a.fill == b.fill;
    let plain = a.fill != GENERATED && !a.added && !b.added;
    let kind = match a.stands {
        Stands::Layer => true,
        Stands::Block => stem(&a.lines[0]) == stem(&b.lines[0]),
        Stands::Node | Stands::Leaf => false,
    };
    same && plain && kind
}

/// A name without its last number.
fn stem(name: &str) -> &str {
    name.rsplit_once('[').map_or(name, |(stem, _)| stem)
}

fn joined(members: &[&Figure]) -> Figure {
    let mut one = members[0].clone();
    let Some(last) = members.last().filter(|_| members.len() > 1) else {
        return one;
    };
    one.gives = last.gives.clone();
    one.parameters = members.iter().map(|member| member.parameters).sum();
    one.lines = match one.stands {
        Stands::Block => {
            let names = format!("{} to {}", one.lines[0], last.lines[0]);
            let mut lines = vec![names];
            if one.parameters > 0 {
                lines.push(format!(
                    "{} blocks, {} parameters",
                    members.len(),
                    super::figure::short(one.parameters)
                ));
            }
            lines
        }
        _ => members.iter().map(|member| line(member)).collect(),
    };
    one
}

/// A layer in one line; its op is left out where the name says it already.
fn line(member: &Figure) -> String {
    match member.lines.as_slice() {
        [name, op] if op.starts_with(name.trim_end_matches(|c: char| c.is_ascii_digit())) => {
            op.clone()
        }
        lines => lines.join("  "),
    }
}
