//! Weights of a foreign file for the parameters of a network: which belongs where, and in which form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use hqcc_compiler::names::{Here, NameMap, key};
use serde::Serialize;
use thiserror::Error;

use super::file::{FileError, TensorFile};
use super::layout::Conversion;
use super::{Container, Element, Stored, Weights, WeightsError, store};
use crate::regular_file;
use crate::tensor::Tensor;

/// How names begin that data-parallel training or a compiled model has wrapped.
const WRAPPED: [&str; 2] = ["module.", "_orig_mod."];

/// Errors name so many tensors.
const NAMED: usize = 6;

/// What weights are imported into.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The parameters and statistics of the network, by path, with their shapes.
    pub state: &'a BTreeMap<String, Vec<usize>>,
    /// Those of them that the file cannot set, since a circuit makes them.
    pub generated: &'a BTreeSet<String>,
    /// The path below which the tensors of the file belong; empty for the whole network.
    pub prefix: &'a str,
    /// How names map to paths.
    pub names: &'a NameMap,
}

/// What became of a tensor of the file, or of a parameter of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It is taken as it is.
    Matched,
    /// It is taken in another form.
    Reshaped,
    /// A parameter that the file lacks.
    Missing,
    /// A tensor that no parameter wants.
    Unexpected,
    /// A tensor that is known and not needed: a rule drops it, or it is no weight.
    Dropped,
}

impl Fate {
    /// All of them, in the order in which they are shown.
    pub const ALL: [(&str, Fate); 5] = [
        ("matched", Fate::Matched),
        ("reshaped", Fate::Reshaped),
        ("missing", Fate::Missing),
        ("unexpected", Fate::Unexpected),
        ("dropped", Fate::Dropped),
    ];
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What became of it.
    pub fate: Fate,
    /// Its name in the file.
    pub name: Option<String>,
    /// Its path in the network.
    pub path: Option<String>,
    /// Its shape in the file.
    pub found: Option<Vec<usize>>,
    /// Its shape in the network.
    pub expected: Option<Vec<usize>>,
    /// What was done to it, or why it was not taken.
    pub note: String,
}

/// What an import came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// The kind of file, in words.
    pub container: &'static str,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
    /// The path below which its tensors were put; empty for the whole network.
    pub prefix: String,
    /// What all names in the file began with and was left out.
    pub unwrapped: String,
    /// A line per tensor and parameter, by fate.
    pub rows: Vec<Row>,
}

impl Report {
    /// How many lines have that fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.rows.iter().filter(|row| row.fate == fate).count()
    }

    /// The number of lines of each fate.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let counts = Fate::ALL.map(|(word, fate)| (word, self.count(fate)));
        counts.into_iter().collect()
    }

    /// The layers at the top of the network that lack a parameter, each once.
    pub fn lacking(&self) -> Vec<&str> {
        let missing = self.rows.iter().filter(|row| row.fate == Fate::Missing);
        let paths = missing.filter_map(|row| row.path.as_deref());
        let tops: BTreeSet<&str> = paths
            .map(|path| path.split(['.', '[']).next().unwrap_or(path))
            .collect();
        tops.into_iter().collect()
    }
}

impl fmt::Display for Report {
    /// One line: where it came from and how much of it fits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.count(Fate::Matched) + self.count(Fate::Reshaped);
        write!(f, "{taken} tensors of {}", self.file.display())?;
        if !self.prefix.is_empty() {
            write!(f, " for `{}`", self.prefix)?;
        }
        let mut parts = Vec::new();
        for (word, fate) in &Fate::ALL[1..] {
            match self.count(*fate) {
                0 => {}
                count if *fate == Fate::Missing => {
                    parts.push(format!("{count} missing ({})", self.lacking().join(", ")));
                }
                count => parts.push(format!("{count} {word}")),
            }
        }
        if !parts.is_empty() {
            write!(f, " ({})", parts.join(", "))?;
        }
        write!(
            f,
            ", BLAKE3 {}",
            self.blake3.get(..12).unwrap_or(&self.blake3)
        )
    }
}

/// Why weights cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
    /// The file is one of hqcc's own, and damaged.
    #[error(transparent)]
    Own(#[from] WeightsError),
    /// A tensor holds values that cannot be parameters.
    #[error("{path}: `{name}` holds {value}; a network cannot start from it", path = path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// What it holds, in words.
        value: String,
    },
    /// Two tensors of the file belong to one parameter.
    #[error("{path}: `{first}` and `{second}` both belong to `{here}`", path = path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// A tensor.
        first: String,
        /// Another one.
        second: String,
        /// The parameter.
        here: String,
    },
    /// Tensors have other shapes than the network's.
    #[error("{path}: {list}", path = path.display())]
    Shapes {
        /// The file.
        path: PathBuf,
        /// Each with both shapes.
        list: String,
    },
    /// The network has no part of that name.
    #[error("the network has no parameters below `{prefix}`; it has {known}")]
    Prefix {
        /// The path.
        prefix: String,
        /// What there is.
        known: String,
    },
    /// No tensor fits.
    #[error(
        "{path}: no tensor of it belongs to the network: it has {found}, the network {expected}; rules between the two stand in a \
         `names` item", path = path.display()
    )]
    Nothing {
        /// The file.
        path: PathBuf,
        /// Names in the file.
        found: String,
        /// Paths of the network.
        expected: String,
    },
}

/// Finds out which tensors of a file belong where, and reads those. A parameter that is missing is no error here: it stands in the
/// report.
///
/// # Errors
/// A file that cannot be read, a tensor that cannot be made to fit or holds values that are not finite, two that belong to
/// the same parameter, none that fits.
pub fn import(path: &Path, wanted: &Wanted) -> Result<(Weights, Report), ImportError> {
    let failed = |source| ImportError::File {
        path: path.to_path_buf(),
        source,
    };
    let mut file = TensorFile::open(path).map_err(failed)?;
    if store::is_sealed(file.metadata.as_deref()) {
        // The hash of a checkpoint is over all that is in it.
        store::load(path)?;
    }
    let part = part(wanted)?;
    let (plans, mut report) = plan(path, &file, wanted, &part)?;
    report.blake3 = hash(path).map_err(|error| failed(error.into()))?;
    let mut weights = Weights::new();
    for (here, (index, conversion)) in plans {
        let tensor = file.read(index).map_err(failed)?;
        let not_finite = |value| ImportError::NotFinite {
            path: path.to_path_buf(),
            name: file.tensors[index].name.clone(),
            value,
        };
        if let Some(value) = first_not_finite(&tensor) {
            return Err(not_finite(match file.tensors[index].element {
                Element::F64 if value.is_infinite() => {
                    "a 64-bit number beyond the range of f32, or an infinite one".to_owned()
                }
                _ => value.to_string(),
            }));
        }
        let tensor = conversion.apply(tensor);
        if first_not_finite(&tensor).is_some() {
            // Sums of input channels may leave the range of f32.
            return Err(not_finite(
                "values whose sum is beyond the range of f32".to_owned(),
            ));
        }
        weights.insert(here.to_owned(), tensor);
    }
    Ok((weights, report))
}

fn first_not_finite(tensor: &Tensor) -> Option<f32> {
    let mut values = tensor.data().iter();
    values.find(|value| !value.is_finite()).copied()
}

/// What parameters are wanted below the prefix, by the keys of their paths.
fn part<'w>(wanted: &Wanted<'w>) -> Result<BTreeMap<String, (&'w str, &'w [usize])>, ImportError> {
    let prefix = key(wanted.prefix);
    let inside = |key: &str| {
        let rest = key.strip_prefix(&prefix);
        prefix.is_empty() || rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let part: BTreeMap<_, _> = wanted
        .state
        .iter()
        .map(|(path, shape)| (key(path), (path.as_str(), shape.as_slice())))
        .filter(|(key, _)| inside(key))
        .collect();
    if part.is_empty() {
        let tops: BTreeSet<&str> = wanted
            .state
            .keys()
            .map(|path| path.split(['.', '[']).next().unwrap_or(path))
            .collect();
        return Err(ImportError::Prefix {
            prefix: wanted.prefix.to_owned(),
            known: some(tops.into_iter()),
        });
    }
    Ok(part)
}

/// Tensors of the file, by number, with what is done to them, by the path of their parameter.
type Plans<'w> = BTreeMap<&'w str, (usize, Conversion)>;

/// Finds the parameter of each tensor of a file.
struct Planner<'p, 'w> {
    path: &'p Path,
    wanted: &'p Wanted<'w>,
    part: &'p BTreeMap<String, (&'w str, &'w [usize])>,
    /// The key of the prefix.
    prefix: String,
    /// Whether hqcc wrote the file, so that it may hold the state of an optimiser.
    own: bool,
    plans: Plans<'w>,
    rows: Vec<Row>,
    /// What does not fit, in words.
    shapes: Vec<String>,
}

fn plan<'w, R: std::io::Read + std::io::Seek>(
    path: &Path,
    file: &TensorFile<R>,
    wanted: &Wanted<'w>,
    part: &BTreeMap<String, (&'w str, &'w [usize])>,
) -> Result<(Plans<'w>, Report), ImportError> {
    let unwrapped = unwrapped(file.tensors.iter().map(|tensor| tensor.name.as_str()));
    let mut planner = Planner {
        path,
        wanted,
        part,
        prefix: key(wanted.prefix),
        own: file.container == Container::Safetensors && file.metadata.is_some(),
        plans: BTreeMap::new(),
        rows: Vec::new(),
        shapes: Vec::new(),
    };
    for index in 0..file.tensors.len() {
        planner.place(&file.tensors, index, unwrapped.len())?;
    }
    let Planner {
        plans,
        mut rows,
        shapes,
        ..
    } = planner;
    refuse_shapes(path, shapes)?;
    if plans.is_empty() {
        return Err(ImportError::Nothing {
            path: path.to_path_buf(),
            found: some(file.tensors.iter().map(|tensor| tensor.name.as_str())),
            expected: some(part.values().map(|(path, _)| *path)),
        });
    }
    rows.extend(file.skipped.iter().map(|skipped| Row {
        fate: Fate::Dropped,
        name: Some(skipped.name.clone()),
        path: None,
        found: None,
        expected: None,
        note: skipped.what.clone(),
    }));
    for &(target, expected) in part.values() {
        if !plans.contains_key(target) && !wanted.generated.contains(target) {
            rows.push(Row {
                fate: Fate::Missing,
                name: None,
                path: Some(target.to_owned()),
                found: None,
                expected: Some(expected.to_vec()),
                note: String::new(),
            });
        }
    }
    rows.sort_by_key(|row| row.fate);
    let report = Report {
        file: path.to_path_buf(),
        container: file.container.words(),
        blake3: String::new(),
        prefix: wanted.prefix.to_owned(),
        unwrapped,
        rows,
    };
    Ok((plans, report))
}

impl Planner<'_, '_> {
    /// Decides what becomes of tensor number `index`, whose name has `wrapped` bytes that are left out.
    fn place(
        &mut self,
        tensors: &[Stored],
        index: usize,
        wrapped: usize,
    ) -> Result<(), ImportError> {
        let tensor = &tensors[index];
        let name = &tensor.name[wrapped..];
        let mut row = Row {
            fate: Fate::Dropped,
            name: Some(tensor.name.clone()),
            path: None,
            found: Some(tensor.shape.clone()),
            expected: None,
            note: String::new(),
        };
        let here = match self.parameter_of(name) {
            Ok(here) => here,
            Err(note) => {
                row.note = note.to_owned();
                self.rows.push(row);
                return Ok(());
            }
        };
        let full = match self.prefix.is_empty() {
            true => here.key.clone(),
            false => format!("{}.{}", self.prefix, here.key),
        };
        let Some(&(target, expected)) = self.part.get(&full) else {
            row.fate = Fate::Unexpected;
            row.note = format!("the network has no `{full}`");
            self.rows.push(row);
            return Ok(());
        };
        row.path = Some(target.to_owned());
        row.expected = Some(expected.to_vec());
        if self.wanted.generated.contains(target) {
            row.note = "a circuit makes this weight".to_owned();
            self.rows.push(row);
            return Ok(());
        }
        let layout = self.wanted.names.layout;
        let Some(plan) = Conversion::plan(name, layout, here.change, &tensor.shape, expected)
        else {
            self.shapes.push(format!(
                "`{}` is {:?} in the file, but `{target}` is {expected:?} in the network",
                tensor.name, tensor.shape
            ));
            return Ok(());
        };
        if let Some((other, _)) = self.plans.get(target) {
            return Err(ImportError::Twice {
                path: self.path.to_path_buf(),
                first: tensors[*other].name.clone(),
                second: tensor.name.clone(),
                here: target.to_owned(),
            });
        }
        row.fate = match plan.is_none() {
            true => Fate::Matched,
            false => Fate::Reshaped,
        };
        row.note = plan.to_string();
        self.plans.insert(target, (index, plan));
        self.rows.push(row);
        Ok(())
    }

    /// The parameter that the rules give to a name, or why it has none.
    fn parameter_of(&self, name: &str) -> Result<Here, &'static str> {
        if name.ends_with("num_batches_tracked") {
            return Err("counts batches");
        }
        if self.own && name.starts_with("optim.") {
            return Err("state of an optimiser");
        }
        self.wanted.names.to_here(name).ok_or("dropped by a rule")
    }
}

/// # Errors
/// There is a tensor that does not fit.
fn refuse_shapes(path: &Path, mut shapes: Vec<String>) -> Result<(), ImportError> {
    if shapes.is_empty() {
        return Ok(());
    }
    let more = shapes.len().saturating_sub(NAMED);
    shapes.truncate(NAMED);
    let mut list = shapes.join("; ");
    if more > 0 {
        list.push_str(&format!("; and {more} more"));
    }
    Err(ImportError::Shapes {
        path: path.to_path_buf(),
        list,
    })
}

/// What all names begin with because the model was wrapped.
fn unwrapped<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut found = String::new();
    while let Some(word) = WRAPPED.iter().find(|word| {
        let mut rests = names
            .clone()
            .map(|name| name.get(found.len()..).unwrap_or(""));
        rests.all(|rest| rest.starts_with(**word) && rest.len() > word.len())
    }) {
        found.push_str(word);
        if names.clone().next().is_none() {
            return String::new();
        }
    }
    found
}

/// Some of several names, for an error.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut shown: Vec<String> = names
        .take(NAMED + 1)
        .map(|name| format!("`{name}`"))
        .collect();
    if shown.len() > NAMED {
        shown[NAMED] = "...".to_owned();
    }
    match shown.is_empty() {
        true => "none".to_owned(),
        false => shown.join(", "),
    }
}

fn hash(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(regular_file::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The shapes of state tensors by path, as [`Wanted`] takes them: optimiser state is left out.
pub fn shapes<'s>(
    state: impl IntoIterator<Item = &'s hqcc_compiler::program::StateTensor>,
) -> BTreeMap<String, Vec<usize>> {
    let kept = state
        .into_iter()
        .filter(|tensor| tensor.kind != hqcc_compiler::graph::ParameterKind::Moment);
    kept.map(|tensor| (tensor.name.clone(), tensor.ty.shape.clone()))
        .collect()
}

/// Number of values of all tensors.
pub fn values(weights: &Weights) -> usize {
    weights.values().map(Tensor::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::save;
    use serde_json::json;

    struct Case {
        folder: tempfile::TempDir,
        state: BTreeMap<String, Vec<usize>>,
        generated: BTreeSet<String>,
    }

    impl Case {
        fn new(state: &[(&str, &[usize])]) -> Case {
            Case {
                folder: tempfile::tempdir().unwrap(),
                state: state
                    .iter()
                    .map(|(path, shape)| ((*path).to_owned(), shape.to_vec()))
                    .collect(),
                generated: BTreeSet::new(),
            }
        }

        fn import(
            &self,
            tensors: &[(&str, &[usize])],
            prefix: &str,
        ) -> Result<(Weights, Report), ImportError> {
            let path = self.folder.path().join("a.safetensors");
            let tensors = tensors.iter().map(|(name, shape)| {
                (
                    (*name).to_owned(),
                    Tensor::from_fn(shape.to_vec(), |i| i as f32),
                )
            });
            save(&path, &tensors.collect(), json!({})).unwrap();
            import(
                &path,
                &Wanted {
                    state: &self.state,
                    generated: &self.generated,
                    prefix,
                    names: &NameMap::default(),
                },
            )
        }
    }

    #[test]
    fn tensors_find_their_places() {
        let mut case = Case::new(&[
            ("encoder.e[0].conv.weight", &[2, 1, 3, 3]),
            ("encoder.e[0].conv.bias", &[2]),
            ("encoder.fc.weight", &[4]),
            ("head.weight", &[1]),
        ]);
        case.generated.insert("encoder.fc.weight".into());
        let (weights, report) = case
            .import(
                &[
                    ("module._orig_mod.e.0.conv.weight", &[2, 3, 3, 3]),
                    ("module._orig_mod.e.0.conv.num_batches_tracked", &[]),
                    ("module._orig_mod.fc.weight", &[4]),
                    ("module._orig_mod.other.weight", &[4]),
                    ("module._orig_mod.optim.m.x", &[4]),
                ],
                "encoder",
            )
            .unwrap();
        assert_eq!(weights.len(), 1);
        assert_eq!(weights["encoder.e[0].conv.weight"].data()[0], 27.0);
        assert_eq!(report.unwrapped, "module._orig_mod.");
        let counts = report.counts();
        assert_eq!(
            (counts["matched"], counts["reshaped"], counts["missing"]),
            (0, 1, 1)
        );
        assert_eq!((counts["unexpected"], counts["dropped"]), (1, 3));
        assert_eq!(report.lacking(), ["encoder"]);
        let line = report.to_string();
        assert!(
            line.contains("1 reshaped, 1 missing (encoder), 1 unexpected"),
            "{line}"
        );
    }

    #[test]
    fn errors_name_what_does_not_fit() {
        let case = Case::new(&[("a.weight", &[2, 3]), ("b[0].weight", &[4])]);
        let error = |tensors: &[(&str, &[usize])], prefix: &str| {
            case.import(tensors, prefix).unwrap_err().to_string()
        };
        let shape = error(&[("a.weight", &[3, 2])], "");
        assert!(
            shape.contains("`a.weight` is [3, 2] in the file"),
            "{shape}"
        );
        assert!(shape.contains("[2, 3] in the network"), "{shape}");
        let twice = error(&[("b.0.weight", &[4]), ("b[0].weight", &[4])], "");
        assert!(twice.contains("both belong to `b[0].weight`"), "{twice}");
        let nothing = error(&[("x.weight", &[4])], "");
        assert!(
            nothing.contains("`x.weight`") && nothing.contains("`a.weight`"),
            "{nothing}"
        );
        let prefix = error(&[("x.weight", &[4])], "decoder");
        assert!(prefix.contains("`a`, `b`"), "{prefix}");
    }
}
