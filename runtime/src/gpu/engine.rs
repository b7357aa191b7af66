//! The executor: plans become pipelines, buffers and bind groups once; a step is one compute pass.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use hqcc_compiler::plan::{Groups, LowerError, Plan, Port, Storage};
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps;
use hqcc_compiler::tensor_type::TensorType;

use super::buffers::{self, Pool};
use super::device::GpuDevice;
use super::pipelines::{Pipeline, Pipelines};
use crate::executor::{DeviceInfo, Executor, ExecutorError, Outputs, check_shape};
use crate::tensor::Tensor;

/// Runs entries on a GPU.
///
/// A step is encoded and handed in while the one before it runs; its outputs travel through a ring of mapped buffers.
pub struct GpuExecutor {
    gpu: GpuDevice,
    info: DeviceInfo,
    pipelines: Pipelines,
    pool: Pool,
    states: BTreeMap<String, State>,
    entries: BTreeMap<String, Loaded>,
    pending: VecDeque<Pending>,
}

struct State {
    buffer: wgpu::Buffer,
    ty: TensorType,
}

/// An entry that is ready to run.
struct Loaded {
    plan: Plan,
    buffers: Vec<wgpu::Buffer>,
    pipelines: Vec<Arc<Pipeline>>,
    bind_groups: Vec<wgpu::BindGroup>,
    /// Position of each output in a readback buffer: name, byte offset, port.
    outputs: Vec<(String, u64, Port)>,
    readback_bytes: u64,
    /// Readback buffers that no step uses.
    free: Vec<wgpu::Buffer>,
}

/// Steps on the device at most: the one that runs and those encoded ahead of it.
const AHEAD: usize = 3;

/// A step on its way.
struct Pending {
    entry: String,
    submission: wgpu::SubmissionIndex,
    readback: Option<(wgpu::Buffer, Receiver<Result<(), wgpu::BufferAsyncError>>)>,
}

impl GpuExecutor {
    /// An executor without entries.
    pub fn new(gpu: GpuDevice) -> Self {
        let info = gpu.info();
        Self {
            gpu,
            info,
            pipelines: Pipelines::default(),
            pool: Pool::default(),
            states: BTreeMap::new(),
            entries: BTreeMap::new(),
            pending: VecDeque::new(),
        }
    }

    /// Closes the device; whatever is asked of it afterwards is an error.
    pub fn close(&self) {
        self.gpu.device.destroy();
    }

    /// Bytes on the device: state, shared memory, inputs and constants of all entries.
    pub fn bytes(&self) -> u64 {
        let states: u64 = self.states.values().map(|state| state.buffer.size()).sum();
        let own = |loaded: &Loaded| loaded.plan.memory.own_bytes();
        states + self.pool.bytes() + self.entries.values().map(own).sum::<u64>()
    }

    /// The plan of a loaded entry.
    pub fn plan(&self, entry: &str) -> Option<&Plan> {
        self.entries.get(entry).map(|loaded| &loaded.plan)
    }

    /// Prepares a plan under a name, as [`Executor::load`] does for an entry.
    ///
    /// # Errors
    /// As [`Executor::load`].
    pub fn load_plan(&mut self, name: &str, plan: Plan) -> Result<(), ExecutorError> {
        buffers::check_limits(&self.gpu, name, &plan)?;
        let most = self.gpu.limits.max_compute_workgroups_per_dimension;
        for dispatch in &plan.dispatches {
            let Groups { x, y, z } = dispatch.groups;
            if x.max(y).max(z) > most {
                let kernel = &plan.kernels[dispatch.kernel].name;
                let message = format!(
                    "needs a grid of {x} x {y} x {z} workgroups, the adapter takes {most} along an axis"
                );
                return Err(self.gpu.fault(&dispatch.node, kernel, message));
            }
        }
        let total = plan.memory.bytes();
        let buffers = self.allocate(name, &plan).map_err(|error| match error {
            ExecutorError::OutOfMemory {
                entry,
                device,
                buffer,
                bytes,
                message,
            } => ExecutorError::OutOfMemory {
                entry,
                device,
                buffer,
                bytes,
                message: format!("{message}; the whole plan takes {total} bytes"),
            },
            other => other,
        })?;
        let pipelines = self.pipelines.build(&self.gpu, &plan)?;
        let bind_groups = self.bind_groups(&plan, &buffers, &pipelines)?;
        let mut outputs = Vec::new();
        let mut readback_bytes = 0;
        for (output, port) in &plan.memory.outputs {
            outputs.push((output.clone(), readback_bytes, port.clone()));
            readback_bytes += plan.memory.buffers[port.buffer].bytes;
        }
        let free = Vec::new();
        let loaded = Loaded {
            plan,
            buffers,
            pipelines,
            bind_groups,
            outputs,
            readback_bytes,
            free,
        };
        self.entries.insert(name.to_owned(), loaded);
        self.gpu.check("load", name)
    }

    /// The memory of a plan's buffers, in order.
    fn allocate(&mut self, name: &str, plan: &Plan) -> Result<Vec<wgpu::Buffer>, ExecutorError> {
        let slots = self.pool.slots(&self.gpu, name, &plan.memory)?;
        let mut buffers = Vec::with_capacity(plan.memory.buffers.len());
        for planned in &plan.memory.buffers {
            let buffer = match &planned.storage {
                Storage::Slot { slot } => slots[*slot].clone(),
                Storage::State { name: state } => {
                    self.state(name, state, &plan.memory.states[state].ty, planned.bytes)?
                }
                Storage::Input { .. } => {
                    buffers::create(&self.gpu, name, &planned.name, planned.bytes)?
                }
                Storage::Constant { value } => {
                    let buffer = buffers::create(&self.gpu, name, &planned.name, planned.bytes)?;
                    let values = vec![*value as f32; (planned.bytes / 4) as usize];
                    self.gpu
                        .queue
                        .write_buffer(&buffer, 0, bytemuck::cast_slice(&values));
                    buffer
                }
            };
            buffers.push(buffer);
        }
        Ok(buffers)
    }

    fn state(
        &mut self,
        entry: &str,
        name: &str,
        ty: &TensorType,
        bytes: u64,
    ) -> Result<wgpu::Buffer, ExecutorError> {
        if let Some(state) = self.states.get(name) {
            if state.ty != *ty {
                return Err(ExecutorError::Shape {
                    name: name.to_owned(),
                    expected: state.ty.shape.clone(),
                    found: ty.shape.clone(),
                });
            }
            return Ok(state.buffer.clone());
        }
        let buffer = buffers::create(&self.gpu, entry, name, bytes)?;
        self.states.insert(
            name.to_owned(),
            State {
                buffer: buffer.clone(),
                ty: ty.clone(),
            },
        );
        Ok(buffer)
    }

    fn bind_groups(
        &self,
        plan: &Plan,
        buffers: &[wgpu::Buffer],
        pipelines: &[Arc<Pipeline>],
    ) -> Result<Vec<wgpu::BindGroup>, ExecutorError> {
        let mut known: HashMap<(usize, &[usize]), wgpu::BindGroup> = HashMap::new();
        let mut groups = Vec::with_capacity(plan.dispatches.len());
        for dispatch in &plan.dispatches {
            let kernel = &plan.kernels[dispatch.kernel];
            let key = (dispatch.kernel, dispatch.buffers.as_slice());
            if let Some(group) = known.get(&key) {
                groups.push(group.clone());
                continue;
            }
            let entries: Vec<_> = kernel
                .bindings
                .iter()
                .zip(&dispatch.buffers)
                .map(|(binding, &at)| wgpu::BindGroupEntry {
                    binding: binding.index,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: &buffers[at],
                        offset: 0,
                        // A buffer of the pool may be larger than what this plan keeps in it.
                        size: wgpu::BufferSize::new(plan.memory.buffers[at].bytes),
                    }),
                })
                .collect();
            let scope = self
                .gpu
                .device
                .push_error_scope(wgpu::ErrorFilter::Validation);
            let group = self
                .gpu
                .device
                .create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(&dispatch.node),
                    layout: &pipelines[dispatch.kernel].layout,
                    entries: &entries,
                });
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(self
                    .gpu
                    .fault(&dispatch.node, &kernel.name, error.to_string()));
            }
            known.insert(key, group.clone());
            groups.push(group);
        }
        Ok(groups)
    }

    /// Waits until a submission is done.
    fn wait(&self, submission: wgpu::SubmissionIndex, entry: &str) -> Result<(), ExecutorError> {
        let polled = self.gpu.device.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        });
        self.gpu.check(entry, "")?;
        polled
            .map(|_| ())
            .map_err(|error| self.gpu.fault(entry, "", error.to_string()))
    }

    fn mapped(&self, buffer: &wgpu::Buffer, entry: &str) -> Result<Vec<f32>, ExecutorError> {
        let fault = |error: String| self.gpu.fault(entry, "readback", error);
        let view = buffer
            .slice(..)
            .get_mapped_range()
            .map_err(|error| fault(error.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        buffer.unmap();
        Ok(values)
    }
}

/// Asks for a buffer to be mapped; the receiver hears when it is.
fn map(buffer: &wgpu::Buffer) -> Receiver<Result<(), wgpu::BufferAsyncError>> {
    let (sender, receiver) = channel();
    buffer
        .slice(..)
        .map_async(wgpu::MapMode::Read, move |result| {
            // The receiver is gone only if the executor is.
            let _ = sender.send(result);
        });
    receiver
}

impl Executor for GpuExecutor {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn load(&mut self, name: &str, entry: &Entry) -> Result<(), ExecutorError> {
        let plan = steps::plan(&entry.graph).map_err(|error| match error {
            LowerError::Fault(fault) => fault.into(),
            other => ExecutorError::Device {
                message: format!("entry `{name}` has no plan: {other}"),
            },
        })?;
        self.load_plan(name, plan)
    }

    fn write(&mut self, name: &str, value: &Tensor) -> Result<(), ExecutorError> {
        let state = self
            .states
            .get(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        check_shape(name, &state.ty, value)?;
        let values = buffers::to_memory(&state.ty, value);
        self.gpu
            .queue
            .write_buffer(&state.buffer, 0, bytemuck::cast_slice(&values));
        self.gpu.check(name, "upload")
    }

    fn read(&mut self, name: &str) -> Result<Tensor, ExecutorError> {
        let state = self
            .states
            .get(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        let readback = buffers::create_readback(&self.gpu, name, state.buffer.size())?;
        let mut encoder = self
            .gpu
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(name) });
        encoder.copy_buffer_to_buffer(&state.buffer, 0, &readback, 0, Some(state.buffer.size()));
        let submission = self.gpu.queue.submit([encoder.finish()]);
        let ready = map(&readback);
        self.wait(submission, name)?;
        if !matches!(ready.try_recv(), Ok(Ok(()))) {
            return Err(self
                .gpu
                .fault(name, "readback", "the buffer cannot be mapped".to_owned()));
        }
        buffers::from_memory(name, &state.ty, &self.mapped(&readback, name)?)
    }

    fn submit(&mut self, entry: &str, inputs: &[(&str, &Tensor)]) -> Result<(), ExecutorError> {
        // A host that never collects must not pile up uploads in the driver.
        if let Some(earlier) = self
            .pending
            .len()
            .checked_sub(AHEAD)
            .and_then(|at| self.pending.get(at))
        {
            self.wait(earlier.submission.clone(), &earlier.entry)?;
        }
        let loaded = self
            .entries
            .get_mut(entry)
            .ok_or_else(|| ExecutorError::no_entry(entry))?;
        for (name, port) in &loaded.plan.memory.inputs {
            let (_, value) = inputs
                .iter()
                .find(|(given, _)| given == name)
                .ok_or_else(|| ExecutorError::no_input(name))?;
            check_shape(name, &port.ty, value)?;
            let values = buffers::to_memory(&port.ty, value);
            self.gpu.queue.write_buffer(
                &loaded.buffers[port.buffer],
                0,
                bytemuck::cast_slice(&values),
            );
        }
        let label = Some(entry);
        let mut encoder = self
            .gpu
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label,
                timestamp_writes: None,
            });
            for (dispatch, group) in loaded.plan.dispatches.iter().zip(&loaded.bind_groups) {
                pass.set_pipeline(&loaded.pipelines[dispatch.kernel].pipeline);
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(dispatch.groups.x, dispatch.groups.y, dispatch.groups.z);
            }
        }
        let readback = if loaded.outputs.is_empty() {
            None
        } else {
            let buffer = match loaded.free.pop() {
                Some(buffer) => buffer,
                None => buffers::create_readback(&self.gpu, entry, loaded.readback_bytes)?,
            };
            for (_, offset, port) in &loaded.outputs {
                let bytes = loaded.plan.memory.buffers[port.buffer].bytes;
                encoder.copy_buffer_to_buffer(
                    &loaded.buffers[port.buffer],
                    0,
                    &buffer,
                    *offset,
                    Some(bytes),
                );
            }
            Some(buffer)
        };
        let submission = self.gpu.queue.submit([encoder.finish()]);
        let readback = readback.map(|buffer| {
            let ready = map(&buffer);
            (buffer, ready)
        });
        self.pending.push_back(Pending {
            entry: entry.to_owned(),
            submission,
            readback,
        });
        self.gpu.check(entry, "submit")
    }

    fn collect(&mut self) -> Result<Option<Outputs>, ExecutorError> {
        let Some(step) = self.pending.pop_front() else {
            return Ok(None);
        };
        self.wait(step.submission, &step.entry)?;
        let mut outputs = Outputs::new();
        let Some((buffer, ready)) = step.readback else {
            return Ok(Some(outputs));
        };
        if !matches!(ready.try_recv(), Ok(Ok(()))) {
            let message = "the outputs cannot be mapped".to_owned();
            return Err(self.gpu.fault(&step.entry, "readback", message));
        }
        let values = self.mapped(&buffer, &step.entry)?;
        if let Some(loaded) = self.entries.get_mut(&step.entry) {
            for (name, offset, port) in &loaded.outputs {
                let from = (*offset / 4) as usize;
                let values = &values[from..from + port.ty.elements()];
                let value = buffers::from_memory(name, &port.ty, values)?;
                outputs.insert(name.clone(), value);
            }
            if buffer.size() == loaded.readback_bytes {
                loaded.free.push(buffer);
            }
        }
        Ok(Some(outputs))
    }

    fn outstanding(&self) -> usize {
        self.pending.len()
    }
}
