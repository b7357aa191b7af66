//! Reference numbers from another implementation: a safetensors file of f32 and f64 tensors, and a JSON note in its header.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

/// How the numbers were made.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// Channels of the first block.
    pub base: usize,
    /// `transposed` or `bilinear`.
    pub variant: String,
    /// Height and width.
    pub size: [usize; 2],
    /// Samples.
    pub batch: usize,
}

/// The numbers.
pub struct Reference {
    /// How they were made.
    pub settings: Settings,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let note = header.metadata().as_ref().and_then(|m| m.get("parity"));
        let settings = serde_json::from_str(note.expect("a note")).expect("its settings");
        let file = SafeTensors::deserialize(&bytes).expect("a whole file");
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, values(&view)))
            .collect();
        Self { settings, tensors }
    }

    /// One tensor.
    pub fn get(&self, name: &str) -> &[f64] {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("the reference has no `{name}`"))
    }

    /// The tensors below a prefix, by the rest of their name.
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = (&str, &[f64])> {
        self.tensors
            .iter()
            .filter_map(move |(name, values)| Some((name.strip_prefix(prefix)?, values.as_slice())))
    }
}

fn values(view: &TensorView<'_>) -> Vec<f64> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => {
            let values = data.as_chunks::<4>().0.iter();
            values.map(|b| f64::from(f32::from_le_bytes(*b))).collect()
        }
        Dtype::F64 => {
            let values = data.as_chunks::<8>().0.iter();
            values.map(|b| f64::from_le_bytes(*b)).collect()
        }
        other => panic!("{other:?} is no element type of a reference"),
    }
}
