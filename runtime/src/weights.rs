//! Named tensors in safetensors files.
//!
//! Names are the paths of the source, shapes and order of the values those the user sees (`[O, I, KH, KW]`), so that a file
//! can be read with the Python package `safetensors` as it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize};
use thiserror::Error;

use hqcc_compiler::ops::Init;
use hqcc_compiler::program::StateTensor;

use crate::durable::replace_file;
use crate::random::Stream;
use crate::tensor::Tensor;

/// Tensors by path.
pub type Weights = BTreeMap<String, Tensor>;

/// The one key of a file's metadata; its value is JSON.
const METADATA_KEY: &str = "hqcc";

/// Why a file of weights cannot be written, read or used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file system refuses.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The bytes are no safetensors file.
    #[error("{path} is no safetensors file, or a damaged one: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// A tensor has another element type than `f32`.
    #[error("{path}: `{name}` holds {dtype:?}, not F32", path = path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it holds.
        dtype: Dtype,
    },
    /// The program needs a tensor that the file lacks.
    #[error("the checkpoint has no `{name}`; the network and the file do not belong together")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the program's.
    #[error("`{name}` is {found:?} in the checkpoint but {expected:?} in the network")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape in the program.
        expected: Vec<usize>,
    },
}

/// Initial values of one state tensor. They depend on seed, path and rule alone, and not on what else there is; a
/// tensor that keeps the start of another one has that one's.
pub fn initialise(state: &StateTensor, seed: u64) -> Tensor {
    let stream = Stream::new(seed, &format!("init.{}", state.stream()));
    let shape = state.ty.shape.clone();
    match state.init {
        Init::Constant { value } => Tensor::full(shape, value as f32),
        Init::Uniform { low, high } => Tensor::from_fn(shape, |i| {
            (low + (high - low) * stream.uniform_f64(i as u64)) as f32
        }),
        Init::Normal { std } => Tensor::from_fn(shape, |i| (std * stream.normal(i as u64)) as f32),
        Init::TruncatedNormal { std } => {
            // The bounds are those of the scaled number: [-2, 2].
            Tensor::from_fn(shape, |i| {
                (std * stream.truncated_normal(i as u64, 2.0 / std)) as f32
            })
        }
    }
}

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
/// `File`, `Format`, `Type`.
pub fn load(path: &Path) -> Result<(Weights, Option<String>), WeightsError> {
    let format = |source| WeightsError::Format {
        path: path.to_path_buf(),
        source,
    };
    let bytes = fs::read(path).map_err(|source| WeightsError::File {
        path: path.to_path_buf(),
        source,
    })?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
    let metadata = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY).cloned());
    let file = SafeTensors::deserialize(&bytes).map_err(format)?;
    let mut weights = Weights::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type {
                path: path.to_path_buf(),
                name,
                dtype: view.dtype(),
            });
        }
        let values: Vec<f32> = view
            .data()
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        let shape = view.shape().to_vec();
        let tensor =
            Tensor::new(shape, values).map_err(|_| format(SafeTensorError::TensorInvalidInfo))?;
        weights.insert(name, tensor);
    }
    Ok((weights, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hqcc_compiler::ops::ParameterKind;
    use hqcc_compiler::tensor_type::TensorType;

    fn start(name: &str, init: Init, seed: u64) -> Tensor {
        let ty = TensorType::kernel([64, 8, 3, 3]);
        initialise(
            &StateTensor {
                name: name.into(),
                ty,
                kind: ParameterKind::Trained,
                init,
            },
            seed,
        )
    }

    #[test]
    fn values_follow_the_rule_and_repeat() {
        let fan_in = Init::fan_in(72);
        let a = start("a", fan_in, 1);
        assert_eq!(a.shape(), [64, 8, 3, 3]);
        let bound = 1.0 / 72f32.sqrt();
        let largest = a.data().iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.99 * bound);
        assert_eq!(a, start("a", fan_in, 1));
        assert_ne!(a, start("b", fan_in, 1));
        assert_ne!(a, start("a", fan_in, 2));
        assert!(
            start("a", Init::Constant { value: 1.0 }, 1)
                .data()
                .iter()
                .all(|v| *v == 1.0)
        );
        let spread = |t: Tensor| {
            (t.data().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / t.len() as f64).sqrt()
        };
        assert!((spread(start("a", Init::Normal { std: 0.5 }, 1)) - 0.5).abs() < 0.02);
        let cut = start("a", Init::TruncatedNormal { std: 2.0 }, 1);
        assert!(cut.data().iter().all(|v| v.abs() <= 2.0) && spread(cut) < 1.2);
    }
}
