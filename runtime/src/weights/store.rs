//! Our own files: named `f32` tensors and one JSON record, as safetensors, sealed by a hash.
//!
//! Names are the paths of the source, shapes and order of the values those the user sees (`[O, I, KH, KW]`), so that a file
//! can be read with the Python package `safetensors` as it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

/// What stands beside the tensors.
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// See [`seal`].
    blake3: String,
    /// What the writer has to say.
    record: Value,
}

/// BLAKE3 over the record and over name, element type, shape and values of every tensor, in hexadecimal.
fn seal(weights: &Weights, record: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    // Every part is preceded by its length, so that no two files give the same bytes.
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(record.to_string().as_bytes());
    for (name, tensor) in weights {
        part(name.as_bytes());
        part(b"F32");
        let shape = tensor.shape().iter().map(|&size| size as u64);
        part(&shape.flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
        part(&Bytes(tensor).data());
    }
    hasher.finalize().to_hex().to_string()
}

/// Writes the tensors and one record beside them, sealed by a hash of both; the file is there in full or not at all. The
/// same tensors and record give the same bytes.
///
/// # Errors
/// `File`, `Format`.
pub fn save(path: &Path, weights: &Weights, record: Value) -> Result<(), WeightsError> {
    let sealed = Sealed {
        blake3: seal(weights, &record),
        record,
    };
    let text = json!(sealed).to_string();
    let information = HashMap::from([(METADATA_KEY.to_string(), text)]);
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

/// Reads all tensors of a sealed file, and the record beside them.
///
/// # Errors
/// `File`, `Damaged` (also where a bit of any value, name, shape or of the record is another one than was written),
/// `Type`, `NotFinite`.
pub fn load(path: &Path) -> Result<(Weights, Value), WeightsError> {
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
    let damaged = |reason: &str| failed(FileError::fault(reason));
    let mut file = TensorFile::open(path).map_err(failed)?;
    if file.container != Container::Safetensors {
        let reason = format!("it is a {} file", file.container.words());
        return Err(damaged(&reason));
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
    let sealed = sealed(file.metadata.as_deref())
        .ok_or_else(|| damaged("it has no hash of its values, so hqcc did not write it"))?;
    if seal(&weights, &sealed.record) != sealed.blake3 {
        return Err(damaged(
            "its content is not what was written: the hash differs",
        ));
    }
    match not_finite(&weights) {
        Some((name, value)) => Err(WeightsError::NotFinite {
            path: path.to_path_buf(),
            name: name.to_owned(),
            value,
        }),
        None => Ok((weights, sealed.record)),
    }
}

fn sealed(metadata: Option<&str>) -> Option<Sealed> {
    serde_json::from_str(metadata?).ok()
}

/// Whether a file says by its metadata that [`save`] wrote it.
pub(super) fn is_sealed(metadata: Option<&str>) -> bool {
    sealed(metadata).is_some()
}

/// The first tensor with a value that is not finite, and that value.
pub fn not_finite(weights: &Weights) -> Option<(&str, f32)> {
    weights.iter().find_map(|(name, tensor)| {
        let value = tensor.data().iter().find(|value| !value.is_finite())?;
        Some((name.as_str(), *value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        let tensor = |v: f32| Tensor::from_fn([2, 3], |i| v + i as f32);
        Weights::from([("a".into(), tensor(0.5)), ("b".into(), tensor(-1.0))])
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        save(&path, &weights(), json!({ "step": 3 })).unwrap();
        let good = std::fs::read(&path).unwrap();
        assert_eq!(load(&path).unwrap(), (weights(), json!({ "step": 3 })));
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            match load(&path) {
                Err(error) => assert!(error.to_string().contains("a.safetensors"), "{error}"),
                // A space of the padded header may become another white space.
                Ok(read) => assert_eq!(read, (weights(), json!({ "step": 3 })), "bit {bit}"),
            }
        }
    }

    #[test]
    fn values_that_are_not_finite_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut bad = weights();
            bad.get_mut("b").unwrap().data_mut()[4] = value;
            save(&path, &bad, json!({})).unwrap();
            let message = load(&path).unwrap_err().to_string();
            assert!(
                message.contains("`b`") && message.contains(&value.to_string()),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_without_a_hash_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let tensors = weights();
        let bytes = serialize(
            tensors.iter().map(|(name, t)| (name, Bytes(t))),
            Some(HashMap::from([(METADATA_KEY.to_owned(), "{}".to_owned())])),
        );
        std::fs::write(&path, bytes.unwrap()).unwrap();
        let message = load(&path).unwrap_err().to_string();
        assert!(message.contains("no hash of its values"), "{message}");
    }
}
