//! Graphs from closures, random values, and both executors side by side.

use std::collections::BTreeMap;

use hqcc::Tensor;
use hqcc::cpu::CpuExecutor;
use hqcc::executor::{Executor, Outputs};
use hqcc::gpu::{DeviceChoice, GpuExecutor, select};
use hqcc_compiler::graph::{Graph, Init, Input, NodeId, Op, Parameter, ParameterKind};
use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::TensorType;

/// An executor on any adapter, or `None` with a note when there is none.
pub fn gpu() -> Option<GpuExecutor> {
    match select(&DeviceChoice::Gpu) {
        Ok(device) => device.map(GpuExecutor::new),
        Err(error) => {
            assert!(
                std::env::var_os("HQCC_REQUIRE_GPU").is_none_or(|v| v != "1"),
                "{error}"
            );
            hqcc_tests::skip(error);
            None
        }
    }
}

/// A repeatable stream of numbers in [-1, 1).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn tensor(&mut self, shape: &[usize]) -> Tensor {
        Tensor::from_fn(shape.to_vec(), |_| self.next())
    }
}

/// A graph under construction whose leaves get random values.
pub struct Case {
    pub graph: Graph,
    pub inputs: BTreeMap<String, Tensor>,
    pub states: BTreeMap<String, Tensor>,
    noise: Noise,
}

impl Case {
    pub fn new(seed: u64) -> Self {
        Self {
            graph: Graph::default(),
            inputs: BTreeMap::new(),
            states: BTreeMap::new(),
            noise: Noise::new(seed),
        }
    }

    /// An input of random values.
    pub fn input(&mut self, ty: TensorType) -> NodeId {
        let value = self.noise.tensor(&ty.shape);
        self.input_of(ty, value)
    }

    /// An input of these values.
    pub fn input_of(&mut self, ty: TensorType, value: Tensor) -> NodeId {
        let name = format!("x{}", self.inputs.len());
        self.named_input(&name, ty, value)
    }

    pub fn named_input(&mut self, name: &str, ty: TensorType, value: Tensor) -> NodeId {
        self.inputs.insert(name.to_owned(), value);
        self.graph.add(Input { ty }, &[], name).unwrap()
    }

    /// A trained parameter of random values in [-scale, scale).
    pub fn parameter(&mut self, name: &str, ty: TensorType, scale: f32) -> NodeId {
        let value = Tensor::from_fn(ty.shape.clone(), |_| self.noise.next() * scale);
        self.state(name, ty, ParameterKind::Trained, value)
    }

    pub fn state(
        &mut self,
        name: &str,
        ty: TensorType,
        kind: ParameterKind,
        value: Tensor,
    ) -> NodeId {
        self.states.insert(name.to_owned(), value);
        let init = Init::Constant { value: 0.0 };
        let op = Parameter {
            ty,
            kind,
            init,
            weight: None,
        };
        self.graph.add(op, &[], name).unwrap()
    }

    pub fn add(&mut self, op: impl Op, inputs: &[NodeId]) -> NodeId {
        let name = op.name();
        self.graph.add(op, inputs, name).unwrap()
    }

    /// The node's value is an output of that name.
    pub fn output(&mut self, name: &str, id: NodeId) {
        self.graph.set_output(name, id);
    }

    pub fn entry(&self) -> Entry {
        Entry {
            graph: self.graph.clone(),
        }
    }

    /// Loads the graph and its state.
    pub fn load(&self, executor: &mut dyn Executor) {
        executor.load("case", &self.entry()).unwrap();
        for (name, value) in &self.states {
            executor.write(name, value).unwrap();
        }
    }

    /// One step.
    pub fn step(&self, executor: &mut dyn Executor) -> Outputs {
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        executor.run("case", &inputs).unwrap()
    }

    /// Outputs of a step, and the state after it, on the GPU and on the plain CPU executor within `tolerance` of the largest value.
    pub fn agree(&self, what: &str, tolerance: f32) {
        let Some(mut gpu) = gpu() else { return };
        let mut cpu = CpuExecutor::<f32>::plain();
        self.load(&mut gpu);
        self.load(&mut cpu);
        let (found, expected) = (self.step(&mut gpu), self.step(&mut cpu));
        assert_eq!(found.len(), expected.len());
        for (name, expected) in &expected {
            close(
                &format!("{what}: output {name}"),
                &found[name],
                expected,
                tolerance,
            );
        }
        for name in self.states.keys() {
            let expected = cpu.read(name).unwrap();
            close(
                &format!("{what}: state {name}"),
                &gpu.read(name).unwrap(),
                &expected,
                tolerance,
            );
        }
    }
}

/// Fails where two tensors differ by more than `tolerance` of the largest expected value (at least 1e-3).
pub fn close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let scale = expected
        .data()
        .iter()
        .fold(1e-3f32, |most, v| most.max(v.abs()));
    for (at, (a, b)) in found.data().iter().zip(expected.data()).enumerate() {
        let error = (a - b).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: element {at} is {a}, expected {b}: off by {error:e} of {scale}"
        );
    }
}
