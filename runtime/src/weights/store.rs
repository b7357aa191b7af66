//! Our own files: named `f32` tensors and one JSON text, as safetensors.
//!
//! Names are the paths of the source, shapes and order of the values those the user sees (`[O, I, KH, KW]`), so that a file
//! can be read with the Python package `safetensors` as it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize};

use super::{Container, Element, FileError, METADATA_KEY, TensorFile, Weights, WeightsError};
use crate::durable::replace_file;
use crate::tensor::Tensor;

/// A tensor as `safetensors` wants to see it: little-endian bytes.
struct Bytes<'a>(&'a Tensor);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            Cow::Borrowed(bytemuck::cast_slice(self.0.data()))
        } else {
            Cow::Owned(self.0.data().iter().flat_map(|v| v.to_le_bytes()).collect())
        }
    }

    fn data_len(&self) -> usize {
        self.0.len() * size_of::<f32>()
    }
}

/// Writes the tensors and one JSON text beside them; the file is there in full or not at all. The same tensors and text
/// give the same bytes.
///
/// # Errors
/// `File`, `Format`.
pub fn save(path: &Path, weights: &Weights, metadata: &str) -> Result<(), WeightsError> {
    let information = HashMap::from([(METADATA_KEY.to_string(), metadata.to_string())]);
    let bytes = serialize(
        weights.iter().map(|(name, tensor)| (name, Bytes(tensor))),
        Some(information),
    )
    .map_err(|source| WeightsError::Format {
        path: path.to_path_buf(),
        source,
    })?;
    replace_file(path, &bytes).map_err(|source| WeightsError::File {
        path: path.to_path_buf(),
        source,
    })
}

/// Reads all tensors of a file, and the JSON text beside them if there is one.
///
/// # Errors
/// `File`, `Damaged`, `Type`.
pub fn load(path: &Path) -> Result<(Weights, Option<String>), WeightsError> {
    let failed = |error| match error {
        FileError::Io(source) => WeightsError::File {
            path: path.to_path_buf(),
            source,
        },
        FileError::Fault(reason) => WeightsError::Damaged {
            path: path.to_path_buf(),
            reason,
        },
    };
    let mut file = TensorFile::open(path).map_err(failed)?;
    if file.container != Container::Safetensors {
        let reason = format!("it is a {} file", file.container.words());
        return Err(failed(FileError::Fault(reason)));
    }
    let of_other_type = |name: &str, found: String| WeightsError::Type {
        path: path.to_path_buf(),
        name: name.to_owned(),
        found,
    };
    if let Some(skipped) = file.skipped.first() {
        return Err(of_other_type(&skipped.name, skipped.what.clone()));
    }
    let mut weights = Weights::new();
    for index in 0..file.tensors.len() {
        let tensor = &file.tensors[index];
        let (name, element) = (tensor.name.clone(), tensor.element);
        if element != Element::F32 {
            return Err(of_other_type(&name, format!("{element:?}")));
        }
        let values = file.read(index).map_err(failed)?;
        weights.insert(name, values);
    }
    Ok((weights, file.metadata))
}
