//! The models of the repository, compiled for a test.

use std::collections::BTreeMap;

use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::elaborate::{self, Size, Study};
use hqcc_compiler::graph::Graph;
use hqcc_compiler::names::NameMap;
use hqcc_compiler::passes::rewrite::Rule;
use hqcc_compiler::steps::Recipe;
use hqcc_compiler::syntax::span::{MemoryWorld, Sources};

/// A network with and without batch statistics, and how it is trained.
pub struct Networks {
    /// Normalisations use the batch and move their running statistics.
    pub training: Graph,
    /// Normalisations use their running statistics.
    pub evaluation: Graph,
    /// Rules of annotations and rewrites.
    pub rules: Vec<Rule>,
    /// Loss and optimiser.
    pub recipe: Recipe,
    /// The name of the input.
    pub input: String,
    /// The names of the original's tensors, if the file has them.
    pub names: Option<NameMap>,
}

/// The texts of `models/`, by file name.
pub fn files() -> BTreeMap<String, String> {
    let files = hqcc_models::MODELS.iter();
    files
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Compiles a model as written in .hqc, such as `UNet(base = 4)`, of a file of `models/`.
///
/// # Errors
/// Everything the compiler says.
pub fn model(file: &str, written: &str, loss: &str, size: Size) -> Result<Networks, String> {
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
pub fn of_text(text: String, size: Size) -> Result<Networks, String> {
    compile(("main.hqc", Some(text)), &[], size)
}

/// Compiles an experiment of `models/` with settings such as `model.base=4`.
///
/// # Errors
/// Everything the compiler says.
pub fn experiment(file: &str, settings: &[&str], size: Size) -> Result<Networks, String> {
    compile((file, None), settings, size)
}

fn compile(
    (main, text): (&str, Option<String>),
    settings: &[&str],
    size: Size,
) -> Result<Networks, String> {
    let mut world = MemoryWorld {
        files: files(),
        variables: BTreeMap::new(),
    };
    world.files.extend(text.map(|text| (main.to_owned(), text)));
    let mut sources = Sources::default();
    let settings: Vec<_> = settings.iter().map(|text| (*text).to_owned()).collect();
    let project = elaborate::load(&mut sources, &world, main, &settings);
    let project = project.map_err(|errors| render_all(&errors, &sources))?;
    let study = elaborate::study(&sources, &world, &project);
    let study: Study = study.map_err(|errors| render_all(&errors, &sources))?;
    let network = |training| {
        elaborate::network(&sources, &world, &project, &study, size, training)
            .map_err(|errors| render_all(&errors, &sources))
    };
    let training = network(true)?;
    let rules = training.rules.iter().map(|placed| placed.rule.clone());
    Ok(Networks {
        rules: rules.collect(),
        recipe: Recipe {
            loss: study.train.loss.clone(),
            optimiser: study.train.optim.clone(),
        },
        input: training.input,
        names: study.names("PyTorch").cloned(),
        training: training.graph,
        evaluation: network(false)?.graph,
    })
}
