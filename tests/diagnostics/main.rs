//! Every kind of message: each `.hqc` file beside this one is a case, its printed errors a snapshot.
//!
//! A first line `# -s key=value` is given on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hqcc_compiler::codes::{self, CodeText};
use hqcc_compiler::compile;
use hqcc_compiler::diagnostic::{Diagnostic, WIDTH, render_all};
use hqcc_compiler::syntax::span::{MemoryWorld, World};

/// The folder of this file.
struct Folder(PathBuf);

impl World for Folder {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|_| "there is no such file".to_owned())
    }
}

fn messages(world: &dyn World, name: &str) -> Vec<Diagnostic> {
    let text = world.read(name).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let settings: Vec<_> = first
        .strip_prefix("# -s ")
        .map(str::to_owned)
        .into_iter()
        .collect();
    let compiled = match compile(world, name, &settings) {
        Ok(compiled) => compiled,
        Err(diagnostics) => return diagnostics,
    };
    match compiled.train(compiled.size(1)) {
        Ok(_) => compiled.warnings().to_vec(),
        Err(diagnostics) => diagnostics,
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
    for name in cases {
        check(&world, &name);
    }
}

/// Compiles a case, checks the form of its messages, and compares them with the snapshot of that name.
fn check(world: &dyn World, name: &str) {
    let diagnostics = messages(world, name);
    assert!(!diagnostics.is_empty(), "no message for {name}");
    let text = render_all(&diagnostics);
    for diagnostic in &diagnostics {
        let head = diagnostic.to_string();
        let head = head.lines().next().unwrap_or_default();
        assert!(head.chars().count() <= WIDTH, "{head}");
        assert!(
            serde_json::to_string(&diagnostic.to_json()).is_ok(),
            "{name}"
        );
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name.trim_end_matches(".hqc"), text);
    });
}

/// Cases that are too large to be written out: the main file, which is also the name of the snapshot, and all files.
fn large() -> Vec<(&'static str, MemoryWorld)> {
    let model = "model M {\n  input ct: [1, H, W]\n  head = conv(ct, 1)\n  output head\n}\n";
    let one = |name: &'static str, text: String| {
        let files = BTreeMap::from([(name.to_owned(), text)]);
        let variables = BTreeMap::new();
        (name, MemoryWorld { files, variables })
    };
    let branches = "if H == 1 { a = 1 } else\n  ".repeat(257);
    let lists: String = (1..=12)
        .map(|at| format!("let l{at} = l{} + l{}\n", at - 1, at - 1))
        .collect();
    let blocks: String = (1..200)
        .map(|at| format!("block b{at}(x) {{ return b{}(x) }}\n", at - 1))
        .collect();
    let path = vec!["abcdefgh"; 50].join(".");
    let mut files: BTreeMap<_, _> = (0..70)
        .map(|at| {
            let next = at + 1;
            let text = format!("import \"f{next}.hqc\" as next\nlet value = 1\n");
            (format!("f{at}.hqc"), text)
        })
        .collect();
    files.insert("f70.hqc".to_owned(), "let value = 1\n".to_owned());
    let main = format!("import \"f0.hqc\" as f\n{model}");
    files.insert("limit_files.hqc".to_owned(), main);
    let variables = BTreeMap::new();
    vec![
        ("limit_files.hqc", MemoryWorld { files, variables }),
        one(
            "limit_branches.hqc",
            format!("model M {{\n  input ct: [1, H, W]\n  {branches}{{ a = 2 }}\n}}\n"),
        ),
        one(
            "limit_list.hqc",
            format!("let l0 = [1, 2, 3]\n{lists}{model}"),
        ),
        one(
            "limit_depth.hqc",
            format!(
                "block b0(x) {{ return conv(x, 1) }}\n{blocks}\
                 model M {{\n  input ct: [1, H, W]\n  output b199(ct)\n}}\n"
            ),
        ),
        one(
            "limit_path.hqc",
            format!("{model}rewrite R {{\n  {path} => qpg()\n}}\ntrain {{ rewrite = R }}\n"),
        ),
        one(
            "limit_source.hqc",
            format!("{model}{}", "# long\n".repeat(150_000)),
        ),
    ]
}

#[test]
fn every_message_about_a_limit() {
    for (name, world) in large() {
        check(&world, name);
    }
}

/// The codes in a source file outside of its tests: quoted, lower case, two words with `::` between.
fn codes_in(text: &str) -> Vec<String> {
    let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
    let is_code = |word: &&str| {
        let lower = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        word.split_once("::")
            .is_some_and(|(head, tail)| lower(head) && lower(tail))
    };
    let words = code.split('"').filter(is_code);
    words.map(str::to_owned).collect()
}

fn texts(folder: &Path, end: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(fs::read_to_string(&path).expect("a text"));
        }
    }
}

/// Every code in the compiler's sources.
fn all_codes() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    texts(&root.join("../compiler/src"), ".rs", &mut sources);
    let all: BTreeSet<_> = sources.iter().flat_map(|text| codes_in(text)).collect();
    assert!(all.len() > 70, "{all:?}");
    all
}

#[test]
fn every_code_has_a_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut snapshots = Vec::new();
    texts(&root.join("diagnostics/snapshots"), ".snap", &mut snapshots);
    let all = all_codes();
    let shown = |code: &String| {
        let head = format!("[{code}]: ");
        snapshots.iter().any(|text| text.contains(&head))
    };
    // A fault of the parser itself, which no text brings about.
    let without = |code: &String| !shown(code) && code != "syntax::internal";
    let missing: Vec<_> = all.into_iter().filter(without).collect();
    assert!(missing.is_empty(), "no snapshot shows {missing:?}");
}

/// Codes whose example would be a text of some thousand lines, or that no text brings about.
const WITHOUT_EXAMPLE: [&str; 7] = [
    "limit::branches",
    "limit::depth",
    "limit::files",
    "limit::list",
    "limit::path",
    "limit::source",
    "syntax::internal",
];

#[test]
fn every_code_is_explained_by_an_example_that_gives_it() {
    let explained: Vec<CodeText> = codes::all().collect();
    let names: BTreeSet<_> = explained.iter().map(|text| text.code.to_owned()).collect();
    assert_eq!(names.len(), explained.len(), "a code is explained twice");
    let mut raised = all_codes();
    raised.insert(codes::SHAPE.to_owned());
    let missing: Vec<_> = raised.difference(&names).collect();
    assert!(missing.is_empty(), "codes.md does not explain {missing:?}");
    let stale: Vec<_> = names.difference(&raised).collect();
    assert!(stale.is_empty(), "nothing raises {stale:?}");
    for text in explained {
        let code = text.code;
        assert!(text.meaning.len() > 20 && text.remedy.len() > 10, "{code}");
        let Some(example) = text.example else {
            assert!(WITHOUT_EXAMPLE.contains(&code), "{code} has no example");
            continue;
        };
        let name = "example.hqc";
        let files = BTreeMap::from([(name.to_owned(), example)]);
        let variables = BTreeMap::new();
        let world = MemoryWorld { files, variables };
        let given = messages(&world, name);
        let found: Vec<_> = given.iter().map(|error| error.code.as_str()).collect();
        let is_it =
            |found: &&str| *found == code || code == codes::SHAPE && found.starts_with("shape::");
        assert!(
            found.iter().any(is_it),
            "the example of {code} gives {found:?}"
        );
    }
}
