//! Embeds every file of `shaders/` as a table of (name, text), so that a new kernel needs no line here.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn collect(dir: &Path, prefix: &str, found: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), found)?;
        } else if let Some(stem) = name.strip_suffix(".wgsl") {
            found.push((
                format!("{prefix}{stem}"),
                path.canonicalize()?.to_string_lossy().into_owned(),
            ));
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let root = Path::new("../shaders");
    println!("cargo:rerun-if-changed=../shaders");
    println!("cargo:rerun-if-changed=build.rs");
    let mut found = Vec::new();
    collect(root, "", &mut found)?;
    found.sort();
    let mut table = String::from("&[\n");
    for (name, path) in found {
        let _ = writeln!(table, "    ({name:?}, include_str!({path:?})),");
    }
    table.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("shaders.rs"), table)
}
