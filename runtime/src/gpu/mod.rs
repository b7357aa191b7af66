//! The executor on a GPU, through wgpu (Vulkan, Metal or Direct3D 12).

mod buffers;
mod device;
mod engine;
mod pipelines;

pub use device::{AdapterSummary, DeviceChoice, GpuDevice, adapters, select};
pub use engine::GpuExecutor;
