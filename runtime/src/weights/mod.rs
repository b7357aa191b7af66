//! Named tensors: initial values, our own safetensors files, and files of other programs.

mod element;
mod file;
pub mod import;
mod layout;
mod npz;
mod pickle;
mod safetensor;
mod store;
mod torch;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use safetensors::tensor::SafeTensorError;
use thiserror::Error;

use hqcc_compiler::graph::Init;
use hqcc_compiler::program::StateTensor;

use crate::random::Stream;
use crate::tensor::Tensor;

pub use element::Element;
pub use file::{Container, FileError, Skipped, Stored, TensorFile};
pub use store::{load, not_finite, save};

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
    /// The tensors cannot be written as a safetensors file.
    #[error("{path}: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: SafeTensorError,
    },
    /// The bytes are not those of a safetensors file that hqcc wrote.
    #[error("{path} is no checkpoint, or a damaged one: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor has another element type than `f32`.
    #[error("{path}: `{name}` holds {found}, not F32", path = path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it holds.
        found: String,
    },
    /// A tensor holds NaN or an infinite value.
    #[error(
        "{path}: `{name}` holds {value}: training that diverged, or a fault of the program that wrote the file",
        path = path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its first value that is not finite.
        value: f32,
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
    let stream = Stream::new(seed, &format!("init.{}", state.stream));
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

#[cfg(test)]
mod tests {
    use super::*;
    use hqcc_compiler::graph::ParameterKind;
    use hqcc_compiler::tensor_type::TensorType;

    fn start(name: &str, init: Init, seed: u64) -> Tensor {
        let ty = TensorType::kernel([64, 8, 3, 3]);
        initialise(
            &StateTensor {
                name: name.into(),
                ty,
                kind: ParameterKind::Trained,
                init,
                stream: name.into(),
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
