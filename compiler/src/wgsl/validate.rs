//! Validation of kernel texts by naga.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// What can be wrong with a kernel; always a fault of this crate, never of the user's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A template that cannot be rendered.
    #[error("kernel template `{name}`: {reason}")]
    Template {
        /// The template.
        name: String,
        /// What the template engine says.
        reason: String,
    },
    /// A text that is not valid WGSL.
    #[error("kernel `{name}` is not valid WGSL: {reason}")]
    Invalid {
        /// The kernel.
        name: String,
        /// naga's report, with the place in the text.
        reason: String,
    },
    /// A kernel that a back end cannot express.
    #[error("kernel `{name}` cannot be written as {target}: {reason}")]
    Emit {
        /// The kernel.
        name: String,
        /// The back end.
        target: &'static str,
        /// What the back end says.
        reason: String,
    },
}

/// Parses and validates `wgsl`; only what every WebGPU device offers is allowed.
///
/// # Errors
/// [`KernelError::Invalid`] with naga's report.
pub fn validate(name: &str, wgsl: &str) -> Result<(naga::Module, ModuleInfo), KernelError> {
    let invalid = |reason: String| KernelError::Invalid {
        name: name.to_owned(),
        reason,
    };
    let module =
        naga::front::wgsl::parse_str(wgsl).map_err(|error| invalid(error.emit_to_string(wgsl)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| invalid(error.emit_to_string(wgsl)))?;
    Ok((module, info))
}
