//! Compute pipelines, built in parallel and each only once.

use std::collections::HashMap;
use std::sync::Arc;

use hqcc_compiler::plan::Plan;
use hqcc_compiler::wgsl::{Access, Kernel};
use rayon::prelude::*;

use super::device::GpuDevice;
use crate::executor::ExecutorError;

/// A kernel that is ready to run.
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// The pipelines of all entries, by kernel text.
#[derive(Default)]
pub(super) struct Pipelines {
    by_text: HashMap<String, Arc<Pipeline>>,
}

impl Pipelines {
    /// The pipelines of a plan's kernels, in order.
    ///
    /// # Errors
    /// A kernel that exceeds the adapter's limits or that the driver refuses.
    pub(super) fn build(
        &mut self,
        gpu: &GpuDevice,
        plan: &Plan,
    ) -> Result<Vec<Arc<Pipeline>>, ExecutorError> {
        let user = |at: usize| {
            plan.dispatches
                .iter()
                .find(|dispatch| dispatch.kernel == at)
                .map_or("", |dispatch| dispatch.node.as_str())
        };
        let missing: Vec<(usize, &Kernel)> = plan
            .kernels
            .iter()
            .enumerate()
            .filter(|(_, kernel)| !self.by_text.contains_key(&kernel.wgsl))
            .collect();
        let built: Vec<_> = missing
            .par_iter()
            .map(|&(at, kernel)| {
                build(gpu, kernel, user(at))
                    .map(|pipeline| (kernel.wgsl.clone(), Arc::new(pipeline)))
            })
            .collect::<Result<_, _>>()?;
        self.by_text.extend(built);
        Ok(plan
            .kernels
            .iter()
            .map(|kernel| Arc::clone(&self.by_text[&kernel.wgsl]))
            .collect())
    }
}

fn check_limits(gpu: &GpuDevice, kernel: &Kernel, node: &str) -> Result<(), ExecutorError> {
    let limits = &gpu.limits;
    let invocations: u32 = kernel.workgroup_size.iter().product();
    let exceeded = [
        (
            "invocations per workgroup",
            u64::from(invocations),
            limits.max_compute_invocations_per_workgroup,
        ),
        (
            "bytes of workgroup memory",
            kernel.workgroup_memory,
            limits.max_compute_workgroup_storage_size,
        ),
        (
            "storage buffers",
            kernel.bindings.len() as u64,
            limits.max_storage_buffers_per_shader_stage,
        ),
    ];
    for (what, needed, offered) in exceeded {
        if needed > u64::from(offered) {
            let message = format!("needs {needed} {what}, the adapter offers {offered}");
            return Err(gpu.fault(node, &kernel.name, message));
        }
    }
    Ok(())
}

fn build(gpu: &GpuDevice, kernel: &Kernel, node: &str) -> Result<Pipeline, ExecutorError> {
    check_limits(gpu, kernel, node)?;
    let device = &gpu.device;
    let label = Some(kernel.name.as_str());
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let descriptor = wgpu::ShaderModuleDescriptor {
        label,
        source: wgpu::ShaderSource::Wgsl(kernel.wgsl.as_str().into()),
    };
    let module = if cfg!(debug_assertions) {
        device.create_shader_module(descriptor)
    } else {
        // SAFETY: the text comes from the templates of this program, not from the user: every index is bounded by
        // constants of the plan, which also sizes the buffers, every loop ends, and no divisor is zero. Debug builds
        // run the same kernels with all checks.
        unsafe {
            device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        }
    };
    let entries: Vec<_> = kernel
        .bindings
        .iter()
        .map(|binding| wgpu::BindGroupLayoutEntry {
            binding: binding.index,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding.access {
                    Access::Uniform => wgpu::BufferBindingType::Uniform,
                    access => wgpu::BufferBindingType::Storage {
                        read_only: access == Access::Read,
                    },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label,
        entries: &entries,
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(&kernel.entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    for scope in [internal, validation] {
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(gpu.fault(node, &kernel.name, error.to_string()));
        }
    }
    Ok(Pipeline { pipeline, layout })
}
