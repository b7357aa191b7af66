//! What a validated kernel says about itself: bindings, workgroup size, entry point.

use naga::proc::Layouter;
use naga::{AddressSpace, StorageAccess};
use serde::{Deserialize, Serialize};

use super::{KernelError, validate};

/// How a kernel uses a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Only reads it.
    Read,
    /// Writes it, and may read it.
    ReadWrite,
    /// A uniform buffer.
    Uniform,
}

/// One buffer of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The variable's name in the text.
    pub name: String,
    /// The bind group.
    pub group: u32,
    /// The index in the group.
    pub index: u32,
    /// How it is used.
    pub access: Access,
    /// The smallest buffer it accepts, in bytes.
    pub min_size: u64,
}

/// A compute program with what its validated module says about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// The template's name.
    pub name: String,
    /// The entry point.
    pub entry: String,
    /// The text.
    pub wgsl: String,
    /// The buffers, by group and index.
    pub bindings: Vec<Binding>,
    /// Invocations of a workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub workgroup_memory: u64,
}

/// Validates `wgsl` and reads bindings, workgroup size and entry point from the module.
///
/// # Errors
/// A text that naga refuses, or one without exactly one compute entry point.
pub fn reflect(name: &str, wgsl: String) -> Result<Kernel, KernelError> {
    let invalid = |reason: &str| KernelError::Invalid {
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    let (module, _) = validate(name, &wgsl)?;
    let [entry] = module.entry_points.as_slice() else {
        return Err(invalid("a kernel has exactly one entry point"));
    };
    let mut layouter = Layouter::default();
    layouter
        .update(module.to_ctx())
        .map_err(|error| invalid(&error.to_string()))?;
    let mut bindings = Vec::new();
    let mut workgroup_memory = 0;
    for (_, variable) in module.global_variables.iter() {
        let size = u64::from(layouter[variable.ty].size);
        let access = match variable.space {
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                Access::ReadWrite
            }
            AddressSpace::Storage { .. } => Access::Read,
            AddressSpace::Uniform => Access::Uniform,
            AddressSpace::WorkGroup => {
                workgroup_memory += size;
                continue;
            }
            _ => continue,
        };
        let place = variable
            .binding
            .as_ref()
            .ok_or_else(|| invalid("a buffer without @group and @binding"))?;
        let name = variable.name.clone();
        bindings.push(Binding {
            name: name.ok_or_else(|| invalid("a buffer without a name"))?,
            group: place.group,
            index: place.binding,
            access,
            min_size: size,
        });
    }
    bindings.sort_by_key(|binding| (binding.group, binding.index));
    Ok(Kernel {
        name: name.to_owned(),
        entry: entry.name.clone(),
        bindings,
        workgroup_size: entry.workgroup_size,
        workgroup_memory,
        wgsl,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = "
        @group(0) @binding(1) var<storage, read_write> y: array<f32, 12>;
        @group(0) @binding(0) var<storage, read> x: array<f32, 12>;
        var<workgroup> shared_x: array<f32, 4>;
        @compute @workgroup_size(4, 2)
        fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
            shared_x[id.x % 4u] = x[id.x];
            y[id.x] = shared_x[id.x % 4u];
        }";

    #[test]
    fn a_kernel_describes_itself() {
        let kernel = reflect("copy", COPY.to_owned()).unwrap();
        assert_eq!(kernel.entry, "copy");
        assert_eq!(kernel.workgroup_size, [4, 2, 1]);
        assert_eq!(kernel.workgroup_memory, 16);
        let names: Vec<_> = kernel
            .bindings
            .iter()
            .map(|b| (b.name.as_str(), b.access, b.min_size))
            .collect();
        assert_eq!(
            names,
            [("x", Access::Read, 48), ("y", Access::ReadWrite, 48)]
        );
    }

    #[test]
    fn a_broken_text_names_the_kernel() {
        let error = reflect("copy", COPY.replace("x[id.x]", "x[id.q]")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("kernel `copy` is not valid WGSL"),
            "{error}"
        );
    }
}
