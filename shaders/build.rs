//! Embeds every `.wgsl` file of this folder as a table of (name, text), so that a new kernel needs no line here.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// The folders with templates, and what stands before the names of their templates.
const FOLDERS: [(&str, &str); 2] = [("", ""), ("shared", "shared/")];

fn main() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(io::Error::other);
    let root = variable("CARGO_MANIFEST_DIR")?;
    let mut found = Vec::new();
    for (folder, prefix) in FOLDERS {
        let folder = Path::new(&root).join(folder);
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(stem) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if let Some(stem) = stem.strip_suffix(".wgsl") {
                found.push((format!("{prefix}{stem}"), path));
            }
        }
    }
    found.sort();
    let mut table = String::from("&[\n");
    for (name, path) in found {
        let _ = writeln!(table, "    ({name:?}, include_str!({path:?})),");
    }
    table.push(']');
    fs::write(Path::new(&variable("OUT_DIR")?).join("templates.rs"), table)
}
