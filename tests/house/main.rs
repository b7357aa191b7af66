//! The arrows between the files of the compiler and the runtime, held against one order, and what ARCHITECTURE.md says of
//! them.

mod arrows;
mod made;
mod order;
mod tree;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use hqcc_compiler::ops::OPS;

use arrows::{Arrows, arrows};
use order::{Order, circular, upward};
use tree::{Crate, Files};

/// Folders and files from the top to the bottom; see [`Order`].
const ORDER: Order = &[
    "runtime/main",
    "runtime/lib",
    "runtime/cli",
    "runtime/bench runtime/export runtime/train/session",
    "runtime/predict runtime/train/start",
    "runtime/train/network runtime/train/saved",
    "runtime/device runtime/source",
    "runtime/error",
    "runtime/train",
    "runtime/report",
    "runtime/train/log",
    "runtime/train/metrics runtime/train/folder_error",
    "runtime/data runtime/cpu runtime/gpu runtime/weights",
    "runtime/executor",
    "runtime/durable runtime/random runtime/regular_file runtime/tensor runtime/threads",
    "compiler/lib",
    "compiler/compile",
    "compiler/elaborate compiler/steps compiler/summary compiler/generation compiler/dot compiler/reference",
    "compiler/experiment",
    "compiler/passes",
    "compiler/ops",
    "compiler/onnx compiler/plan compiler/program",
    "compiler/setting",
    "compiler/graph compiler/quantum compiler/wgsl",
    "compiler/tensor_type",
    "compiler/measures compiler/names compiler/syntax",
    "compiler/diagnostic compiler/cases compiler/codes compiler/fault",
    "compiler/syntax/span",
];

/// Circles that are still to be opened.
const KNOWN: &[&[&str]] = &[
    &["runtime/src/cli/completions.rs", "runtime/src/cli/mod.rs"],
    &[
        "runtime/src/weights/file.rs",
        "runtime/src/weights/npz.rs",
        "runtime/src/weights/pickle.rs",
        "runtime/src/weights/safetensor.rs",
        "runtime/src/weights/torch.rs",
    ],
    &[
        "compiler/src/passes/rewrite/conv_lora.rs",
        "compiler/src/passes/rewrite/freeze.rs",
        "compiler/src/passes/rewrite/generation.rs",
        "compiler/src/passes/rewrite/mod.rs",
        "compiler/src/passes/rewrite/posts/affine.rs",
        "compiler/src/passes/rewrite/posts/lpp.rs",
        "compiler/src/passes/rewrite/posts/mod.rs",
        "compiler/src/passes/rewrite/posts/rce.rs",
        "compiler/src/passes/rewrite/posts/sst.rs",
        "compiler/src/passes/rewrite/qpg.rs",
        "compiler/src/passes/rewrite/qpga.rs",
    ],
    &[
        "compiler/src/syntax/expect.rs",
        "compiler/src/syntax/parse.rs",
    ],
];

/// The Rust files below a folder.
fn files(folder: &Path, below: &str, found: &mut Files) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        if path.is_dir() {
            files(&path, &format!("{below}{name}/"), found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("a text");
            found.insert(format!("{below}{name}"), text);
        }
    }
}

static CRATES: LazyLock<Vec<Crate>> = LazyLock::new(|| {
    let read = |name: &str, folder: &str, root: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder);
        let mut found = Files::new();
        files(&path, "", &mut found);
        Crate::read(name, folder, root, &found)
    };
    vec![
        read("hqcc_compiler", "compiler/src", "lib.rs"),
        read("hqcc", "runtime/src", "lib.rs"),
        read("main", "runtime/src", "main.rs"),
    ]
});

static ARROWS: LazyLock<Arrows> = LazyLock::new(|| arrows(&CRATES));

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Whether one of the files below a folder is that file.
fn below(folders: &[&str], file: &str) -> bool {
    folders.iter().any(|folder| file.starts_with(folder))
}

#[test]
fn no_arrow_leads_up() {
    // So many that a reader which sees nothing would be noticed.
    assert!(ARROWS.len() > 1000, "{} arrows", ARROWS.len());
    none(&upward(ORDER, &ARROWS));
}

#[test]
fn no_files_form_a_circle() {
    none(&circular(&ARROWS, KNOWN));
}

/// Files that only unit tests compile.
const TESTS: &[&str] = &[
    "cpu/circuit/tests.rs",
    "cpu/conv_reference.rs",
    "cpu/simd/emulation.rs",
    "cpu/simd/testing.rs",
    "train/run_loop/tests.rs",
];

#[test]
fn each_file_is_part_of_a_crate() {
    for (krate, folder) in [(&CRATES[0], "compiler/src"), (&CRATES[1], "runtime/src")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder);
        let mut found = Files::new();
        files(&path, "", &mut found);
        let read: Vec<_> = krate.modules.iter().map(|module| &module.file).collect();
        let left = found.keys().filter(|file| {
            !read.contains(file) && *file != "main.rs" && !TESTS.contains(&file.as_str())
        });
        none(&left.cloned().collect::<Vec<_>>());
    }
}

/// ARCHITECTURE.md: graph and ONNX files know no op by name but leaves. (That they import none is part of the order.)
#[test]
fn the_graph_knows_no_op_by_name() {
    const LEAVES: &[&str] = &["constant", "input", "parameter"];
    let folders = ["graph/", "onnx/"];
    let compiler = &CRATES[0];
    let mut faults = Vec::new();
    for module in compiler.modules.iter().filter(|m| below(&folders, &m.file)) {
        for (text, line) in &module.texts {
            let op = OPS.iter().find(|op| op.name == text);
            if op.is_some_and(|op| !LEAVES.contains(&op.name)) {
                faults.push(format!(
                    "compiler/src/{}:{line} knows `{text}`",
                    module.file
                ));
            }
        }
    }
    none(&faults);
}

/// ARCHITECTURE.md: in the compiler, `wgsl` serves `plan` alone.
#[test]
fn kernels_are_rendered_for_plans_alone() {
    let others = ARROWS.keys().filter(|(from, to)| {
        to.starts_with("compiler/src/wgsl/")
            && from.starts_with("compiler/")
            && !below(&["compiler/src/wgsl/", "compiler/src/plan/"], from)
    });
    none(&others.map(|(from, _)| from.clone()).collect::<Vec<_>>());
}

/// ARCHITECTURE.md: the compiler reads no file, asks no clock, touches no GPU and prints nothing.
#[test]
fn the_compiler_is_pure() {
    const OUTSIDE: &[&[&str]] = &[
        &["std", "fs"],
        &["std", "io"],
        &["std", "net"],
        &["std", "process"],
        &["std", "thread"],
        &["std", "time"],
        &["wgpu"],
    ];
    const PRINTS: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!"];
    let mut faults = Vec::new();
    for module in &CRATES[0].modules {
        let uses = module.uses.iter().map(|line| &line.path);
        for path in uses.chain(&module.paths) {
            let outside = OUTSIDE.iter().any(|outside| {
                let mut begins = path.segments.iter().zip(*outside);
                path.segments.len() >= outside.len() && begins.all(|(a, b)| a == b)
            });
            if outside {
                let path_text = path.segments.join("::");
                faults.push(format!("{}:{} names {path_text}", module.file, path.line));
            }
        }
        for word in PRINTS {
            if let Some(line) = module.words.get(*word) {
                faults.push(format!("{}:{line} prints", module.file));
            }
        }
    }
    none(&faults);
}
