//! The models of the repository, compiled for a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hqcc_compiler::compile::{Compiled, compile_for};
use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::syntax::span::MemoryWorld;

/// The texts of `models/`, by file name.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn files() -> Result<BTreeMap<String, String>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|e| e == "hqc")
            && let Some(name) = path.file_name()
        {
            let text = fs::read_to_string(&path).map_err(fault)?;
            files.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    Ok(files)
}

/// Compiles a model as written in .hqc, such as `UNet(base = 4)`, of a file of `models/`, for inputs of a size.
///
/// # Errors
/// Everything the compiler says.
pub fn model(
    file: &str,
    written: &str,
    loss: &str,
    size: Size,
) -> Result<Compiled<'static>, String> {
    let text = format!(
        "import \"{file}\" as m\n\
         train {{\n  model = m.{written}\n  loss = {loss}\n  \
         optim = adam(lr = 1e-3, weight_decay = 5e-4)\n}}\n"
    );
    let mut files = files()?;
    files.insert("main.hqc".to_owned(), text);
    compiled(files, "main.hqc", &[], Some(size))
}

/// Compiles an experiment of `models/` with settings such as `model.base=4`; without a size, for that of its data.
///
/// # Errors
/// Everything the compiler says.
pub fn experiment(
    file: &str,
    settings: &[&str],
    size: Option<Size>,
) -> Result<Compiled<'static>, String> {
    compiled(files()?, file, settings, size)
}

/// Compiles a file of these. They are never freed, so that what is compiled has no owner to look after.
///
/// # Errors
/// Everything the compiler says.
pub fn compiled(
    files: BTreeMap<String, String>,
    main: &str,
    settings: &[&str],
    size: Option<Size>,
) -> Result<Compiled<'static>, String> {
    let world: &'static MemoryWorld = Box::leak(Box::new(MemoryWorld {
        files,
        variables: BTreeMap::new(),
    }));
    let settings: Vec<_> = settings.iter().map(|text| (*text).to_owned()).collect();
    let input = size.map(|size| [size.channels, size.height, size.width]);
    compile_for(world, main, &settings, input).map_err(|errors| render_all(&errors))
}
