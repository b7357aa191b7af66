//! Tensors of several element types in one safetensors file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize};

use crate::durable::replace_file;
use crate::tensor::Tensor;
use crate::weights::WeightsError;

/// A tensor of a file for other programs.
pub enum Exported<'a> {
    /// `F32`, in the order of its logical axes.
    Values(&'a Tensor),
    /// `I64` without an axis: a counter.
    Count(i64),
}

impl View for &Exported<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Exported::Values(_) => Dtype::F32,
            Exported::Count(_) => Dtype::I64,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Exported::Values(tensor) => tensor.shape(),
            Exported::Count(_) => &[],
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Exported::Values(tensor) if cfg!(target_endian = "little") => {
                Cow::Borrowed(bytemuck::cast_slice(tensor.data()))
            }
            Exported::Values(tensor) => {
                Cow::Owned(tensor.data().iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Exported::Count(count) => Cow::Owned(count.to_le_bytes().to_vec()),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Exported::Values(tensor) => tensor.len() * size_of::<f32>(),
            Exported::Count(_) => size_of::<i64>(),
        }
    }
}

/// Writes tensors with texts beside them; the file is there in full or not at all.
///
/// # Errors
/// `Format`, `File`.
pub fn write(
    path: &Path,
    tensors: &BTreeMap<String, Exported<'_>>,
    texts: &[(&str, String)],
) -> Result<(), WeightsError> {
    let texts: HashMap<String, String> = texts
        .iter()
        .map(|(key, text)| ((*key).to_owned(), text.clone()))
        .collect();
    let bytes = serialize(tensors, Some(texts)).map_err(|source| WeightsError::Format {
        path: path.to_path_buf(),
        source,
    })?;
    replace_file(path, &bytes).map_err(|source| WeightsError::File {
        path: path.to_path_buf(),
        source,
    })
}
