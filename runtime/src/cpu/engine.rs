//! The executor: runs prepared entries over slots of memory that all of them share.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::TensorType;

use super::prepared::{Invocation, Location, Mode, Prepared, Work};
use super::real::Real;
use super::simd::isa;
use crate::executor::{DeviceInfo, Executor, ExecutorError, Outputs, check_shape};
use crate::tensor::{Tensor, from_memory, to_memory};

/// Time spent in one kind of invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct OpTime {
    /// The ops that it computes.
    pub label: String,
    /// How often it ran.
    pub count: usize,
    /// Time of all of them.
    pub time: Duration,
    /// Floating-point operations of all of them.
    pub flops: u64,
}

/// The executor on this machine's processor, computing in `T`.
pub struct CpuExecutor<T: Real = f32> {
    device: DeviceInfo,
    mode: Mode,
    entries: BTreeMap<String, Loaded<T>>,
    state: BTreeMap<String, (TensorType, Vec<T>)>,
    slots: Vec<Vec<T>>,
    done: VecDeque<Outputs>,
    profile: Option<BTreeMap<String, OpTime>>,
}

/// An entry, its constants, and the tensors handed in last.
struct Loaded<T> {
    prepared: Prepared<T>,
    constants: Vec<Vec<T>>,
    inputs: Vec<Vec<T>>,
}

impl<T: Real> Loaded<T> {
    fn new(prepared: Prepared<T>) -> Self {
        let filled = |&(elements, value): &(usize, f64)| vec![T::of(value); elements];
        Self {
            constants: prepared.constants.iter().map(filled).collect(),
            inputs: prepared.inputs.iter().map(|_| Vec::new()).collect(),
            prepared,
        }
    }

    /// Takes the inputs of a step, in logical order.
    fn hand_in(&mut self, inputs: &[(&str, &[T])]) -> Result<(), ExecutorError> {
        for (index, (name, ty)) in self.prepared.inputs.iter().enumerate() {
            let (_, values) = inputs
                .iter()
                .find(|(given, _)| given == name)
                .ok_or_else(|| ExecutorError::no_input(name))?;
            if values.len() != ty.elements() {
                return Err(ExecutorError::Shape {
                    name: name.clone(),
                    expected: ty.shape.clone(),
                    found: vec![values.len()],
                });
            }
            self.inputs[index] = to_memory(ty, values);
        }
        Ok(())
    }
}

impl<T: Real> Default for CpuExecutor<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> CpuExecutor<T> {
    /// An executor on all threads.
    pub fn new() -> Self {
        Self::with_mode(Mode::Fused)
    }

    /// An executor that runs every node by itself, each value in memory of its own: slower and larger, and what joined
    /// nodes and shared memory are compared with.
    pub fn plain() -> Self {
        Self::with_mode(Mode::Plain)
    }

    fn with_mode(mode: Mode) -> Self {
        Self {
            device: device(),
            mode,
            entries: BTreeMap::new(),
            state: BTreeMap::new(),
            slots: Vec::new(),
            done: VecDeque::new(),
            profile: None,
        }
    }

    /// Starts to measure the time of each kind of invocation.
    pub fn start_profile(&mut self) {
        self.profile = Some(BTreeMap::new());
    }

    /// Ends the measurement; the most expensive first.
    pub fn take_profile(&mut self) -> Vec<OpTime> {
        let mut times: Vec<OpTime> = self
            .profile
            .take()
            .unwrap_or_default()
            .into_values()
            .collect();
        times.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.label.cmp(&b.label)));
        times
    }

    /// Bytes of working memory shared by the loaded entries.
    pub fn working_bytes(&self) -> u64 {
        self.slots
            .iter()
            .map(|slot| (slot.len() * size_of::<T>()) as u64)
            .sum()
    }

    /// Sets a state tensor from values in logical order.
    ///
    /// # Errors
    /// No loaded entry has it, or it has another number of elements.
    pub fn write_values(&mut self, name: &str, values: &[T]) -> Result<(), ExecutorError> {
        let (ty, memory) = self
            .state
            .get_mut(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        if values.len() != memory.len() {
            return Err(ExecutorError::Shape {
                name: name.into(),
                expected: ty.shape.clone(),
                found: vec![values.len()],
            });
        }
        memory.copy_from_slice(&to_memory(ty, values));
        Ok(())
    }

    /// A state tensor's values in logical order.
    ///
    /// # Errors
    /// No loaded entry has it.
    pub fn read_values(&self, name: &str) -> Result<Vec<T>, ExecutorError> {
        let (ty, memory) = self
            .state
            .get(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        Ok(from_memory(ty, memory))
    }

    /// Runs a step of a loaded entry on values in logical order and gives the outputs so.
    ///
    /// # Errors
    /// An input is missing or has another number of elements.
    pub fn step(
        &mut self,
        entry: &str,
        inputs: &[(&str, &[T])],
    ) -> Result<BTreeMap<String, Vec<T>>, ExecutorError> {
        let loaded = self
            .entries
            .get_mut(entry)
            .ok_or_else(|| ExecutorError::no_entry(entry))?;
        loaded.hand_in(inputs)?;
        let prepared = &loaded.prepared;
        let mut state: Vec<Vec<T>> = prepared
            .state
            .iter()
            .map(|(name, _)| {
                self.state
                    .get_mut(name)
                    .map(|(_, values)| std::mem::take(values))
                    .ok_or_else(|| ExecutorError::no_state(name))
            })
            .collect::<Result<_, _>>()?;
        let mut work = Work {
            slots: &mut self.slots,
            state: &mut state,
            inputs: &loaded.inputs,
            constants: &loaded.constants,
        };
        let done = run(&prepared.invocations, &mut work, self.profile.as_mut());
        let output = |(name, ty, location): &(String, TensorType, Location)| {
            (name.clone(), from_memory(ty, work.values(*location, ty)))
        };
        let outputs = done.map(|()| prepared.outputs.iter().map(output).collect());
        for ((name, _), values) in prepared.state.iter().zip(state) {
            if let Some((_, slot)) = self.state.get_mut(name) {
                *slot = values;
            }
        }
        outputs
    }

    /// Bytes that an entry needs beside what is there already.
    fn needed(&self, prepared: &Prepared<T>) -> u64 {
        let grown = prepared
            .slots
            .iter()
            .enumerate()
            .map(|(at, &need)| need.saturating_sub(self.slots.get(at).map_or(0, Vec::len)));
        let new_state = prepared
            .state
            .iter()
            .filter(|(name, _)| !self.state.contains_key(name));
        let elements: usize = grown.sum::<usize>()
            + new_state.map(|(_, ty)| ty.elements()).sum::<usize>()
            + prepared
                .inputs
                .iter()
                .map(|(_, ty)| ty.elements())
                .sum::<usize>()
            + prepared
                .constants
                .iter()
                .map(|(elements, _)| elements)
                .sum::<usize>();
        (elements * size_of::<T>()) as u64
    }

    /// Adds the state that an entry brings; state that exists keeps its values.
    fn add_state(&mut self, prepared: &Prepared<T>) -> Result<(), ExecutorError> {
        for (name, ty) in &prepared.state {
            match self.state.get(name) {
                Some((known, _)) if known != ty => {
                    return Err(ExecutorError::Shape {
                        name: name.clone(),
                        expected: known.shape.clone(),
                        found: ty.shape.clone(),
                    });
                }
                Some(_) => {}
                None => {
                    self.state
                        .insert(name.clone(), (ty.clone(), vec![T::zero(); ty.elements()]));
                }
            }
        }
        Ok(())
    }

    /// Makes each slot at least as large as an entry needs it.
    fn grow_slots(&mut self, needed: &[usize]) {
        let count = self.slots.len().max(needed.len());
        self.slots.resize_with(count, Vec::new);
        for (slot, &need) in self.slots.iter_mut().zip(needed) {
            if slot.len() < need {
                *slot = vec![T::zero(); need];
            }
        }
    }
}

/// Runs invocations in order, and notes their times where a profile is wanted.
fn run<T: Real>(
    invocations: &[Invocation<T>],
    work: &mut Work<'_, T>,
    mut profile: Option<&mut BTreeMap<String, OpTime>>,
) -> Result<(), ExecutorError> {
    for invocation in invocations {
        let start = Instant::now();
        invocation.run(work)?;
        if let Some(profile) = &mut profile {
            let label = &invocation.label;
            let time = profile.entry(label.clone()).or_insert_with(|| OpTime {
                label: label.clone(),
                count: 0,
                time: Duration::ZERO,
                flops: 0,
            });
            time.count += 1;
            time.time += start.elapsed();
            time.flops += invocation.flops;
        }
    }
    Ok(())
}

impl<T: Real> Executor for CpuExecutor<T> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn load(&mut self, name: &str, entry: &Entry) -> Result<(), ExecutorError> {
        let prepared = Prepared::<T>::new(&entry.graph, self.mode)?;
        let needed = self.needed(&prepared);
        if let Some(available) = available_memory().filter(|&available| needed > available) {
            return Err(ExecutorError::Memory {
                entry: name.into(),
                device: self.device.name.clone(),
                needed,
                available,
                what: "memory available to this process".into(),
            });
        }
        self.add_state(&prepared)?;
        self.grow_slots(&prepared.slots);
        self.entries.insert(name.into(), Loaded::new(prepared));
        Ok(())
    }

    fn write(&mut self, name: &str, value: &Tensor) -> Result<(), ExecutorError> {
        let (ty, _) = self
            .state
            .get(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        check_shape(name, ty, value)?;
        let values: Vec<T> = value.data().iter().map(|&v| T::of(f64::from(v))).collect();
        self.write_values(name, &values)
    }

    fn read(&mut self, name: &str) -> Result<Tensor, ExecutorError> {
        let values = self.read_values(name)?;
        let (ty, _) = self
            .state
            .get(name)
            .ok_or_else(|| ExecutorError::no_state(name))?;
        Ok(to_tensor(ty, values))
    }

    fn submit(&mut self, entry: &str, inputs: &[(&str, &Tensor)]) -> Result<(), ExecutorError> {
        let loaded = self
            .entries
            .get(entry)
            .ok_or_else(|| ExecutorError::no_entry(entry))?;
        let types: BTreeMap<String, TensorType> = loaded
            .prepared
            .outputs
            .iter()
            .map(|(name, ty, _)| (name.clone(), ty.clone()))
            .collect();
        for (name, ty) in &loaded.prepared.inputs {
            if let Some((_, value)) = inputs.iter().find(|(given, _)| given == name) {
                check_shape(name, ty, value)?;
            }
        }
        let values: Vec<(&str, Vec<T>)> = inputs
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    value.data().iter().map(|&v| T::of(f64::from(v))).collect(),
                )
            })
            .collect();
        let lent: Vec<(&str, &[T])> = values
            .iter()
            .map(|(name, values)| (*name, values.as_slice()))
            .collect();
        let outputs = self.step(entry, &lent)?;
        let outputs = outputs
            .into_iter()
            .filter_map(|(name, values)| {
                let tensor = to_tensor(types.get(&name)?, values);
                Some((name, tensor))
            })
            .collect();
        self.done.push_back(outputs);
        Ok(())
    }

    fn collect(&mut self) -> Result<Option<Outputs>, ExecutorError> {
        Ok(self.done.pop_front())
    }

    fn outstanding(&self) -> usize {
        self.done.len()
    }
}

/// Values that fill a type, as a tensor.
fn to_tensor<T: Real>(ty: &TensorType, values: Vec<T>) -> Tensor {
    Tensor::from_fn(ty.shape.clone(), |at| values[at].f64() as f32)
}

fn device() -> DeviceInfo {
    let name = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    DeviceInfo {
        kind: "cpu",
        name: name.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        driver: isa().name().into(),
        threads: Some(rayon::current_num_threads()),
    }
}

/// Bytes that the system can still give out, where it says so.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
