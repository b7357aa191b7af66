//! The WGSL kernels of hqcc, as templates in the syntax of minijinja.
//!
//! A template has the name of its op; `shared/` holds what several kernels use. `hqcc-compiler` renders a template for
//! each shape, so that sizes are constants of the kernel.

/// All templates, sorted by name: the path in this folder without `.wgsl`, and the text.
///
/// ```
/// let names: Vec<_> = hqcc_shaders::TEMPLATES.iter().map(|(name, _)| *name).collect();
/// assert!(names.contains(&"relu") && names.contains(&"shared/gemm"));
/// ```
pub const TEMPLATES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));
