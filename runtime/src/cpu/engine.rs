//! The executor: walks planned graphs over slots of memory that all entries share.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::TensorType;

use super::call::Call;
use super::plan::{Place, Plan, Step};
use super::real::Real;
use super::simd::isa;
use crate::executor::{DeviceInfo, Executor, ExecutorError, Outputs};
use crate::tensor::{Tensor, from_memory, to_memory};

/// Time spent in one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub struct OpTime {
    /// The ops done in the step.
    pub label: String,
    /// Steps done.
    pub count: usize,
    /// Time of all of them.
    pub time: Duration,
    /// Floating-point operations of all of them.
    pub flops: u64,
}

/// The executor on this machine's processor, computing in `T`.
pub struct CpuExecutor<T: Real = f32> {
    device: DeviceInfo,
    entries: BTreeMap<String, Loaded<T>>,
    state: BTreeMap<String, (TensorType, Vec<T>)>,
    slots: Vec<Vec<T>>,
    done: VecDeque<Outputs>,
    profile: Option<BTreeMap<String, OpTime>>,
}

/// An entry and the tensors handed in last.
struct Loaded<T> {
    plan: Plan<T>,
    inputs: Vec<Vec<T>>,
}

impl<T: Real> Default for CpuExecutor<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> CpuExecutor<T> {
    /// An executor on all threads.
    pub fn new() -> Self {
        Self {
            device: device(),
            entries: BTreeMap::new(),
            state: BTreeMap::new(),
            slots: Vec::new(),
            done: VecDeque::new(),
            profile: None,
        }
    }

    /// Starts to measure the time of each kind of step.
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
            .ok_or_else(|| unknown("a state tensor", name))?;
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
            .ok_or_else(|| unknown("a state tensor", name))?;
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
            .ok_or_else(|| unknown("an entry", entry))?;
        for (index, (name, ty)) in loaded.plan.inputs.iter().enumerate() {
            let (_, values) = inputs
                .iter()
                .find(|(given, _)| given == name)
                .ok_or_else(|| unknown("a value for input", name))?;
            if values.len() != ty.elements() {
                return Err(ExecutorError::Shape {
                    name: name.clone(),
                    expected: ty.shape.clone(),
                    found: vec![values.len()],
                });
            }
            loaded.inputs[index] = to_memory(ty, values);
        }
        let mut state: Vec<Vec<T>> = loaded
            .plan
            .state
            .iter()
            .map(|(name, _)| {
                self.state
                    .get_mut(name)
                    .map(|(_, values)| std::mem::take(values))
                    .unwrap_or_default()
            })
            .collect();
        let mut result = Ok(());
        for step in &loaded.plan.steps {
            let start = Instant::now();
            result = evaluate(step, &mut self.slots, &mut state, &loaded.inputs);
            if let Some(profile) = &mut self.profile {
                let time = profile.entry(step.label.clone()).or_insert_with(|| OpTime {
                    label: step.label.clone(),
                    count: 0,
                    time: Duration::ZERO,
                    flops: 0,
                });
                time.count += 1;
                time.time += start.elapsed();
                time.flops += step.flops;
            }
            if result.is_err() {
                break;
            }
        }
        let outputs = loaded
            .plan
            .outputs
            .iter()
            .map(|(name, ty, place)| {
                let values = match *place {
                    Place::Slot(slot) => &self.slots[slot],
                    Place::State(at) => &state[at],
                    Place::Input(at) => &loaded.inputs[at],
                };
                (name.clone(), from_memory(ty, &values[..ty.elements()]))
            })
            .collect();
        for ((name, _), values) in loaded.plan.state.iter().zip(state) {
            if let Some((_, slot)) = self.state.get_mut(name) {
                *slot = values;
            }
        }
        result.map(|()| outputs)
    }
}

/// Evaluates one step: takes what it writes out of its place, lends it the rest, and puts everything back.
fn evaluate<T: Real>(
    step: &Step<T>,
    slots: &mut [Vec<T>],
    state: &mut [Vec<T>],
    given: &[Vec<T>],
) -> Result<(), ExecutorError> {
    let fault = || ExecutorError::Unsupported {
        kind: "cpu",
        op: step.label.clone(),
        node: step.node.clone(),
    };
    let overwritten: Vec<usize> = step
        .overwrites
        .iter()
        .filter_map(|&at| match step.inputs.get(at) {
            Some(Place::State(index)) => Some(*index),
            _ => None,
        })
        .collect();
    if overwritten.len() != step.overwrites.len() {
        return Err(fault());
    }
    let mut taken: Vec<Vec<T>> = overwritten
        .iter()
        .map(|&index| std::mem::take(&mut state[index]))
        .collect();
    let mut output = match step.output {
        Place::Slot(slot) if step.overwrites.is_empty() => std::mem::take(&mut slots[slot]),
        _ => Vec::new(),
    };
    let inputs: Vec<&[T]> = step
        .inputs
        .iter()
        .zip(&step.types)
        .enumerate()
        .map(|(position, (place, ty))| match *place {
            _ if step.overwrites.contains(&position) => &[],
            Place::Slot(slot) => &slots[slot][..ty.elements()],
            Place::State(at) => &state[at][..ty.elements()],
            Place::Input(at) => &given[at][..ty.elements()],
        })
        .collect();
    let len = if step.overwrites.is_empty() {
        step.ty.elements()
    } else {
        0
    };
    let mut lent: Vec<&mut [T]> = taken.iter_mut().map(Vec::as_mut_slice).collect();
    let done = (step.function)(&mut Call {
        op: step.op.as_ref(),
        types: &step.types,
        inputs: &inputs,
        state: &mut lent,
        ty: &step.ty,
        output: &mut output[..len],
    });
    for (index, values) in overwritten.into_iter().zip(taken) {
        state[index] = values;
    }
    if let (Place::Slot(slot), true) = (step.output, step.overwrites.is_empty()) {
        slots[slot] = output;
    }
    done.map_err(|_| fault())
}

impl<T: Real> Executor for CpuExecutor<T> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn load(&mut self, name: &str, entry: &Entry) -> Result<(), ExecutorError> {
        let plan = Plan::<T>::new(&entry.graph)?;
        let grown = plan
            .slots
            .iter()
            .enumerate()
            .map(|(at, &need)| need.saturating_sub(self.slots.get(at).map_or(0, Vec::len)));
        let new_state = plan
            .state
            .iter()
            .filter(|(name, _)| !self.state.contains_key(name));
        let handed_in = plan.inputs.iter().map(|(_, ty)| ty.elements());
        let elements: usize = grown.sum::<usize>()
            + new_state.map(|(_, ty)| ty.elements()).sum::<usize>()
            + handed_in.sum::<usize>();
        let needed = (elements * size_of::<T>()) as u64;
        if let Some(available) = available_memory().filter(|&available| needed > available) {
            return Err(ExecutorError::Memory {
                entry: name.into(),
                device: self.device.name.clone(),
                needed,
                available,
                what: "memory available to this process".into(),
            });
        }
        for (name, ty) in &plan.state {
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
        for (at, &need) in plan.slots.iter().enumerate() {
            if at == self.slots.len() {
                self.slots.push(Vec::new());
            }
            if self.slots[at].len() < need {
                self.slots[at] = vec![T::zero(); need];
            }
        }
        let inputs = plan.inputs.iter().map(|_| Vec::new()).collect();
        self.entries.insert(name.into(), Loaded { plan, inputs });
        Ok(())
    }

    fn write(&mut self, name: &str, value: &Tensor) -> Result<(), ExecutorError> {
        let (ty, _) = self
            .state
            .get(name)
            .ok_or_else(|| unknown("a state tensor", name))?;
        check_shape(name, ty, value)?;
        let values: Vec<T> = value.data().iter().map(|&v| T::of(f64::from(v))).collect();
        self.write_values(name, &values)
    }

    fn read(&mut self, name: &str) -> Result<Tensor, ExecutorError> {
        let values = self.read_values(name)?;
        let (ty, _) = self
            .state
            .get(name)
            .ok_or_else(|| unknown("a state tensor", name))?;
        Ok(to_tensor(ty, values))
    }

    fn submit(&mut self, entry: &str, inputs: &[(&str, &Tensor)]) -> Result<(), ExecutorError> {
        let loaded = self
            .entries
            .get(entry)
            .ok_or_else(|| unknown("an entry", entry))?;
        let types: BTreeMap<String, TensorType> = loaded
            .plan
            .outputs
            .iter()
            .map(|(name, ty, _)| (name.clone(), ty.clone()))
            .collect();
        for (name, ty) in &loaded.plan.inputs {
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

fn unknown(what: &'static str, name: &str) -> ExecutorError {
    ExecutorError::Unknown {
        what,
        name: name.into(),
    }
}

fn check_shape(name: &str, ty: &TensorType, value: &Tensor) -> Result<(), ExecutorError> {
    if value.shape() == ty.shape.as_slice() {
        return Ok(());
    }
    Err(ExecutorError::Shape {
        name: name.into(),
        expected: ty.shape.clone(),
        found: value.shape().to_vec(),
    })
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
