//! Any text, with any settings, ends in a network or in errors: no panic, no overflow, no hang.
//!
//! A first line `# -s key=value` is given on the command line. What parses prints to a text that
//! prints to itself.

#![no_main]

use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::compile;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::syntax::format;
use hqcc_compiler::syntax::span::World;
use libfuzzer_sys::fuzz_target;

/// A world in which every import is the text under test or a model.
struct Mirror<'t>(&'t str);

impl World for Mirror<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        match path {
            "unet.hqc" => Ok(include_str!("../../models/unet.hqc").to_owned()),
            "main.hqc" | "other.hqc" => Ok(self.0.to_owned()),
            _ => Err("there is no such file".to_owned()),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        (name.len() % 2 == 0).then(|| name.to_owned())
    }
}

fn networks(text: &str) -> Result<(), Vec<Diagnostic>> {
    let world = Mirror(text);
    let first = text.lines().next().unwrap_or_default();
    let settings: Vec<_> = first
        .strip_prefix("# -s ")
        .map(str::to_owned)
        .into_iter()
        .collect();
    let compiled = compile(&world, "main.hqc", &settings)?;
    let (again, _) = compiled.resolved();
    assert!(!again.is_empty());
    for (height, width, training) in [(64, 48, true), (17, 1, false)] {
        let size = Size {
            batch: 2,
            channels: 1,
            height,
            width,
        };
        let network = compiled.network(size, training)?;
        if network.graph.len() < 2000 {
            hqcc_compiler::graph::verify(&network.graph, "elaborate").expect("elaboration makes sound graphs");
        }
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Err(errors) = networks(&text) {
        assert!(!errors.is_empty());
        assert!(!render_all(&errors).is_empty());
    }
    if let Ok(once) = format("main.hqc", &text) {
        let twice = format("main.hqc", &once);
        assert_eq!(twice.as_ref(), Ok(&once), "printing settles at once");
    }
});
