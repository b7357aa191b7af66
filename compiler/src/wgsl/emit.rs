//! Kernels in the languages of other back ends.

use std::fmt;

use naga::back::{hlsl, msl, spv};

use super::{Kernel, KernelError, validate};

/// A language that a kernel can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// WebGPU's own.
    Wgsl,
    /// Vulkan, binary.
    Spirv,
    /// Metal.
    Msl,
    /// Direct3D 12.
    Hlsl,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 4] = [Self::Wgsl, Self::Spirv, Self::Msl, Self::Hlsl];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgsl => "wgsl",
            Self::Spirv => "spirv",
            Self::Msl => "msl",
            Self::Hlsl => "hlsl",
        }
    }

    /// The usual file name ending.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wgsl => "wgsl",
            Self::Spirv => "spv",
            Self::Msl => "metal",
            Self::Hlsl => "hlsl",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes of a file that holds `kernel` in the language of `target`.
///
/// # Errors
/// A kernel that the back end cannot express.
pub fn emit(kernel: &Kernel, target: Target) -> Result<Vec<u8>, KernelError> {
    let fail = |reason: String| KernelError::Emit {
        name: kernel.name.clone(),
        target: target.name(),
        reason,
    };
    if target == Target::Wgsl {
        return Ok(kernel.wgsl.clone().into_bytes());
    }
    let (module, info) = validate(&kernel.name, &kernel.wgsl)?;
    match target {
        Target::Wgsl => Ok(kernel.wgsl.clone().into_bytes()),
        Target::Spirv => {
            let options = spv::Options {
                lang_version: (1, 3),
                ..Default::default()
            };
            let words = spv::write_vec(&module, &info, &options, None)
                .map_err(|error| fail(error.to_string()))?;
            Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
        }
        Target::Msl => {
            let options = msl::Options {
                lang_version: (2, 4),
                ..Default::default()
            };
            let pipeline = msl::PipelineOptions::default();
            let (text, _) = msl::write_string(&module, &info, &options, &pipeline)
                .map_err(|error| fail(error.to_string()))?;
            Ok(text.into_bytes())
        }
        Target::Hlsl => {
            let options = hlsl::Options {
                shader_model: hlsl::ShaderModel::V6_0,
                ..Default::default()
            };
            let pipeline = hlsl::PipelineOptions::default();
            let mut text = String::new();
            hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(&module, &info, None)
                .map_err(|error| fail(error.to_string()))?;
            Ok(text.into_bytes())
        }
    }
}
