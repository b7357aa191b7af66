//! Every kind of message: each `.hqc` file beside this one is a case, its printed errors a snapshot.
//!
//! A first line `# -s key=value` is given on the command line.

use std::fs;
use std::path::{Path, PathBuf};

use hqcc_compiler::diagnostic::{Diagnostic, WIDTH, render_all};
use hqcc_compiler::elaborate::{apply, load, network, study};
use hqcc_compiler::syntax::span::{Sources, World};

/// The folder of this file.
struct Folder(PathBuf);

impl World for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|_| "there is no such file".to_owned())
    }
}

fn compile(sources: &mut Sources, world: &Folder, name: &str) -> Vec<Diagnostic> {
    let text = world.read(name).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let settings: Vec<_> = first
        .strip_prefix("# -s ")
        .map(str::to_owned)
        .into_iter()
        .collect();
    let project = match load(sources, world, name, &settings) {
        Ok(project) => project,
        Err(errors) => return errors,
    };
    let study = match study(sources, world, &project) {
        Ok(study) => study,
        Err(errors) => return errors,
    };
    let mut network = match network(sources, world, &project, &study, study.size(1), true) {
        Ok(network) => network,
        Err(errors) => return errors,
    };
    match apply(&mut network) {
        Ok(()) => study.warnings,
        Err(errors) => errors,
    }
}

#[test]
fn every_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnostics");
    let entries = fs::read_dir(&folder).expect("the folder of this file");
    let mut cases: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".hqc"))
        .collect();
    cases.sort();
    assert!(cases.len() > 100);
    let world = Folder(folder);
    let mut silent = Vec::new();
    for name in cases {
        let mut sources = Sources::default();
        let diagnostics = compile(&mut sources, &world, &name);
        if diagnostics.is_empty() {
            silent.push(name.clone());
        }
        let text = render_all(&diagnostics, &sources);
        for diagnostic in &diagnostics {
            let head = diagnostic.render(&sources);
            let head = head.lines().next().unwrap_or_default();
            assert!(head.chars().count() <= WIDTH, "{head}");
            assert!(
                serde_json::to_string(&diagnostic.to_json(&sources)).is_ok(),
                "{name}"
            );
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.trim_end_matches(".hqc"), text);
        });
    }
    assert!(silent.is_empty(), "no message for {silent:?}");
}
