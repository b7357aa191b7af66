//! The models of the repository, compiled for a test.

use std::collections::BTreeMap;

use hqcc_compiler::compile::{Compiled, compile_for};
use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::syntax::span::MemoryWorld;

/// The texts of `models/`, by file name.
pub fn files() -> BTreeMap<String, String> {
    let files = hqcc_models::MODELS.iter();
    files
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
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
    of_text(text, size)
}

/// Compiles a text that may import files of `models/`.
///
/// # Errors
/// Everything the compiler says.
pub fn of_text(text: String, size: Size) -> Result<Compiled<'static>, String> {
    let mut files = files();
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
    compiled(files(), file, settings, size)
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
