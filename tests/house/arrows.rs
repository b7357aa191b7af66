//! Arrows between files: who names something that another file defines, re-exports followed to the definition.
//!
//! What is seen: `use` lines, and paths in code, macros included. What is not: a method found through the type of its
//! value, whose file was named when that type was.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Crate, Module};

/// A place where one file names another: line and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub path: String,
}

/// All arrows: from a file to a file, with the places that make it.
pub type Arrows = BTreeMap<(String, String), BTreeSet<Place>>;

/// Where a path leads: a module of a crate, or the file of an item.
enum Target {
    Module(usize, usize),
    File(String),
}

/// How many re-exports are followed before a path counts as unknown.
const DEEP: usize = 16;

struct Resolver<'c> {
    crates: &'c [Crate],
}

impl Resolver<'_> {
    fn module(&self, (krate, at): (usize, usize)) -> &Module {
        &self.crates[krate].modules[at]
    }

    /// The path of a module's file.
    fn file(&self, of: (usize, usize)) -> String {
        format!("{}/{}", self.crates[of.0].folder, self.module(of).file)
    }

    /// Where a path inside the module `from` leads; `None` for what no crate here defines.
    fn resolve(&self, from: (usize, usize), path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Target::Module(from.0, 0),
            "self" => Target::Module(from.0, from.1),
            "super" => Target::Module(from.0, self.module(from).parent?),
            name => match self.lookup(from, name, depth) {
                Some(target) => target,
                None => Target::Module(self.crates.iter().position(|krate| krate.name == name)?, 0),
            },
        };
        self.follow(start, rest, depth)
    }

    fn follow(&self, start: Target, rest: &[String], depth: usize) -> Option<Target> {
        let mut target = start;
        for name in rest {
            // Behind an item stand its own parts, such as the variants of an enum.
            let Target::Module(krate, at) = target else {
                break;
            };
            let of = (krate, at);
            target = match name.as_str() {
                "super" => Target::Module(krate, self.module(of).parent?),
                "self" => continue,
                name => match self.lookup(of, name, depth) {
                    Some(found) => found,
                    // A macro made it, or it is hidden otherwise: it counts as the module's own.
                    None => Target::File(self.file(of)),
                },
            };
        }
        Some(target)
    }

    /// What a name means in a module.
    fn lookup(&self, of: (usize, usize), name: &str, depth: usize) -> Option<Target> {
        let module = self.module(of);
        if let Some(&child) = module.children.get(name) {
            return Some(Target::Module(of.0, child));
        }
        if module.items.contains(name) {
            return Some(Target::File(self.file(of)));
        }
        if of.1 == 0
            && let Some(file) = self.crates[of.0].macros.get(name)
        {
            return Some(Target::File(format!("{}/{file}", self.crates[of.0].folder)));
        }
        if depth > DEEP {
            return None;
        }
        let named = module
            .uses
            .iter()
            .find(|line| line.alias.as_deref() == Some(name));
        if let Some(line) = named {
            // `use std::fmt` brings in a name that nothing here defines; a path to itself ends the search.
            return self.resolve_use(of, &line.path.segments, depth + 1);
        }
        let globs = module.uses.iter().filter(|line| line.alias.is_none());
        globs
            .filter_map(|line| {
                match self.resolve_use(of, &line.path.segments, depth + 1)? {
                    // Only what the other module really has: the fallback of `follow` would take everything.
                    Target::Module(krate, at) if (krate, at) != of => {
                        self.lookup((krate, at), name, depth + 1)
                    }
                    _ => None,
                }
            })
            .next()
    }

    /// [`Resolver::resolve`] for a `use` line, whose first name is never the one that the line itself brings in.
    fn resolve_use(&self, of: (usize, usize), path: &[String], depth: usize) -> Option<Target> {
        match path {
            [only] => {
                let module = self.module(of);
                let child = module.children.get(only);
                child.map(|&child| Target::Module(of.0, child))
            }
            _ => self.resolve(of, path, depth),
        }
    }
}

/// The arrows between the files of some crates, each file under its path: `compiler/src/graph/op.rs`.
pub fn arrows(crates: &[Crate]) -> Arrows {
    let resolver = Resolver { crates };
    let mut arrows = Arrows::new();
    for (krate, read) in crates.iter().enumerate() {
        for (at, module) in read.modules.iter().enumerate() {
            let from = (krate, at);
            let own = resolver.file(from);
            let mut add = |target: Option<Target>, line: usize, path: String| {
                if let Some(Target::File(file)) = target
                    && file != own
                {
                    let places = arrows.entry((own.clone(), file)).or_default();
                    places.insert(Place { line, path });
                }
            };
            for line in &module.uses {
                let path = line.path.segments.join("::");
                match &line.alias {
                    // A name that is only handed on is no arrow: who reads it here has one of its own.
                    Some(alias) if !line.public || module.words.contains_key(alias) => {
                        let target = resolver.resolve(from, &line.path.segments, 0);
                        add(target, line.path.line, path);
                    }
                    Some(_) => {}
                    None => {
                        let target = resolver.resolve(from, &line.path.segments, 0);
                        if let Some(Target::Module(krate, of)) = target {
                            for (word, &line) in &module.words {
                                if !module.items.contains(word) {
                                    let target = resolver.lookup((krate, of), word, 0);
                                    add(target, line, format!("{path}::{word}"));
                                }
                            }
                        }
                    }
                }
            }
            for path in &module.paths {
                let target = resolver.resolve(from, &path.segments, 0);
                add(target, path.line, path.segments.join("::"));
            }
        }
    }
    arrows
}

/// The circles: files that reach each other, each list in order.
pub fn circles(arrows: &Arrows) -> Vec<Vec<String>> {
    let mut after: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        after.entry(from).or_default().insert(to);
    }
    let reached = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in after.get(file).into_iter().flatten() {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        after.keys().map(|&file| (file, reached(file))).collect();
    let back = |a: &str, b: &str| reach.get(a).is_some_and(|seen| seen.contains(b));
    let mut circles: Vec<Vec<String>> = Vec::new();
    for &file in after.keys() {
        let known = circles.iter().flatten().any(|other| other == file);
        if known || !back(file, file) {
            continue;
        }
        let circle = reach[file].iter().filter(|&&other| back(other, file));
        circles.push(circle.map(|&file| file.to_owned()).collect());
    }
    circles
}
