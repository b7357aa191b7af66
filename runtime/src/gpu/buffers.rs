//! Memory on the device: one buffer per slot, state by name, and values between host order and device order.

use hqcc_compiler::fault::Fault;
use hqcc_compiler::plan::{Memory, Plan, Storage};
use hqcc_compiler::tensor_type::{Layout, TensorType};

use super::device::GpuDevice;
use crate::executor::ExecutorError;
use crate::tensor::{self, Tensor};

/// A buffer for kernels, which the host can also fill and copy out.
///
/// # Errors
/// Too little memory, with the bytes and the buffer's name.
pub(super) fn create(
    gpu: &GpuDevice,
    entry: &str,
    name: &str,
    bytes: u64,
) -> Result<wgpu::Buffer, ExecutorError> {
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    create_as(gpu, entry, name, bytes, usage)
}

/// A buffer that the host maps to read a step's outputs.
///
/// # Errors
/// As [`create`].
pub(super) fn create_readback(
    gpu: &GpuDevice,
    entry: &str,
    bytes: u64,
) -> Result<wgpu::Buffer, ExecutorError> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    create_as(gpu, entry, "outputs", bytes, usage)
}

fn create_as(
    gpu: &GpuDevice,
    entry: &str,
    name: &str,
    bytes: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, ExecutorError> {
    let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let descriptor = wgpu::BufferDescriptor {
        label: Some(name),
        size: bytes,
        usage,
        mapped_at_creation: false,
    };
    let buffer = gpu.device.create_buffer(&descriptor);
    let refused = [
        pollster::block_on(validation.pop()),
        pollster::block_on(memory.pop()),
    ];
    match refused.into_iter().flatten().next() {
        None => Ok(buffer),
        Some(error) => Err(ExecutorError::OutOfMemory {
            entry: entry.to_owned(),
            device: gpu.name(),
            buffer: name.to_owned(),
            bytes,
            message: error.to_string(),
        }),
    }
}

/// Refuses a plan that the adapter cannot hold, before anything is allocated.
///
/// # Errors
/// A buffer larger than the adapter's limits.
pub(super) fn check_limits(gpu: &GpuDevice, entry: &str, plan: &Plan) -> Result<(), ExecutorError> {
    let binding = gpu.limits.max_storage_buffer_binding_size;
    let available = binding.min(gpu.limits.max_buffer_size);
    match plan.memory.largest() {
        Some(largest) if largest.bytes > available => Err(ExecutorError::Memory {
            entry: entry.to_owned(),
            device: gpu.name(),
            needed: largest.bytes,
            available,
            what: format!(
                "`{}` is larger than a kernel can bind; the whole plan takes {} bytes",
                largest.name,
                plan.memory.bytes()
            ),
        }),
        _ => Ok(()),
    }
}

/// Memory that the slots of all entries share: entries never run at the same moment.
#[derive(Default)]
pub(super) struct Pool {
    buffers: Vec<wgpu::Buffer>,
}

impl Pool {
    /// A buffer for each slot of a plan, each of another part of the pool.
    ///
    /// # Errors
    /// Too little memory, with the node that needs the slot.
    pub(super) fn slots(
        &mut self,
        gpu: &GpuDevice,
        entry: &str,
        memory: &Memory,
    ) -> Result<Vec<wgpu::Buffer>, ExecutorError> {
        let mut used = vec![false; self.buffers.len()];
        let mut slots = Vec::with_capacity(memory.slots.len());
        // The largest slot comes first, and so takes what fits it best.
        for (slot, &bytes) in memory.slots.iter().enumerate() {
            let fits = (0..self.buffers.len())
                .filter(|&at| !used[at] && self.buffers[at].size() >= bytes)
                .min_by_key(|&at| self.buffers[at].size());
            let at = match fits {
                Some(at) => at,
                None => {
                    let resident = memory
                        .buffers
                        .iter()
                        .find(|buffer| buffer.storage == Storage::Slot { slot });
                    let name = resident.map_or("slot", |buffer| buffer.name.as_str());
                    self.buffers.push(create(gpu, entry, name, bytes)?);
                    used.push(false);
                    self.buffers.len() - 1
                }
            };
            used[at] = true;
            slots.push(self.buffers[at].clone());
        }
        Ok(slots)
    }

    /// Bytes of the pool.
    pub(super) fn bytes(&self) -> u64 {
        self.buffers.iter().map(wgpu::Buffer::size).sum()
    }
}

/// Values in the memory order of `ty` on the device.
pub(super) fn to_memory(ty: &TensorType, value: &Tensor) -> Vec<f32> {
    match (ty.layout, ty.shape.as_slice()) {
        (Layout::Image, &[n, c, h, w]) if c > 1 && h * w > 1 => {
            tensor::image_to_memory([n, c, h, w], value.data())
        }
        (Layout::Kernel, &[o, i, kh, kw]) => tensor::kernel_to_memory([o, i, kh, kw], value.data()),
        _ => value.data().to_vec(),
    }
}

/// The tensor `name` from values in the memory order of `ty` on the device.
///
/// # Errors
/// Another number of values, which is a fault of hqcc.
pub(super) fn from_memory(
    name: &str,
    ty: &TensorType,
    memory: &[f32],
) -> Result<Tensor, ExecutorError> {
    if memory.len() != ty.elements() {
        let expected = format!("{} values, {} were read", ty.elements(), memory.len());
        return Err(Fault::new("gpu", name, expected).into());
    }
    let data = match (ty.layout, ty.shape.as_slice()) {
        (Layout::Image, &[n, c, h, w]) if c > 1 && h * w > 1 => {
            tensor::image_from_memory([n, c, h, w], memory)
        }
        (Layout::Kernel, &[o, i, kh, kw]) => tensor::kernel_from_memory([o, i, kh, kw], memory),
        _ => memory.to_vec(),
    };
    Tensor::new(ty.shape.clone(), data)
        .map_err(|error| Fault::new("gpu", name, format!("values that fill it: {error}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_count_is_a_fault_and_no_zeros() {
        for ty in [
            TensorType::plain([4]),
            TensorType::image([1, 2, 2, 1]),
            TensorType::kernel([1, 1, 2, 2]),
        ] {
            assert!(from_memory("x", &ty, &[1.0; 4]).is_ok());
            for count in [0, 3, 5] {
                let error = from_memory("x", &ty, &vec![1.0; count]).expect_err("a fault");
                let text = error.to_string();
                assert!(
                    text.contains(&format!("4 values, {count} were read")),
                    "{text}"
                );
            }
        }
    }
}
