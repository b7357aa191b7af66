//! One face for executors of both precisions: values come and go as f64.

use std::collections::BTreeMap;

use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc::tensor::Tensor;
use hqcc_compiler::program::Entry;

/// An executor under test: state and inputs are written in logical order; a failure ends the test.
pub trait Machine {
    /// Prepares an entry.
    fn load(&mut self, name: &str, entry: &Entry);
    /// Sets a state tensor.
    fn write(&mut self, name: &str, shape: &[usize], values: &[f64]);
    /// Reads a state tensor.
    fn read(&mut self, name: &str) -> Vec<f64>;
    /// Runs one step.
    fn run(
        &mut self,
        entry: &str,
        inputs: &[(&str, &[usize], &[f64])],
    ) -> BTreeMap<String, Vec<f64>>;
}

/// Any executor in f32.
pub struct Single(pub Box<dyn Executor>);

/// The CPU executor in f64.
pub struct Double(pub CpuExecutor<f64>);

fn narrow(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::new(shape, values.iter().map(|&v| v as f32).collect()).expect("as many as the shape")
}

fn widen(tensor: &Tensor) -> Vec<f64> {
    tensor.data().iter().map(|&v| f64::from(v)).collect()
}

impl Machine for Single {
    fn load(&mut self, name: &str, entry: &Entry) {
        self.0.load(name, entry).unwrap_or_else(|e| panic!("{e}"));
    }

    fn write(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let done = self.0.write(name, &narrow(shape, values));
        done.unwrap_or_else(|e| panic!("{e}"));
    }

    fn read(&mut self, name: &str) -> Vec<f64> {
        widen(&self.0.read(name).unwrap_or_else(|e| panic!("{e}")))
    }

    fn run(
        &mut self,
        entry: &str,
        inputs: &[(&str, &[usize], &[f64])],
    ) -> BTreeMap<String, Vec<f64>> {
        let tensors: Vec<(&str, Tensor)> = inputs
            .iter()
            .map(|(name, shape, values)| (*name, narrow(shape, values)))
            .collect();
        let lent: Vec<(&str, &Tensor)> = tensors.iter().map(|(n, t)| (*n, t)).collect();
        let outputs = self.0.run(entry, &lent).unwrap_or_else(|e| panic!("{e}"));
        outputs.iter().map(|(n, t)| (n.clone(), widen(t))).collect()
    }
}

impl Machine for Double {
    fn load(&mut self, name: &str, entry: &Entry) {
        self.0.load(name, entry).unwrap_or_else(|e| panic!("{e}"));
    }

    fn write(&mut self, name: &str, _: &[usize], values: &[f64]) {
        let done = self.0.write_values(name, values);
        done.unwrap_or_else(|e| panic!("{e}"));
    }

    fn read(&mut self, name: &str) -> Vec<f64> {
        self.0.read_values(name).unwrap_or_else(|e| panic!("{e}"))
    }

    fn run(
        &mut self,
        entry: &str,
        inputs: &[(&str, &[usize], &[f64])],
    ) -> BTreeMap<String, Vec<f64>> {
        let lent: Vec<(&str, &[f64])> = inputs.iter().map(|&(n, _, v)| (n, v)).collect();
        self.0.step(entry, &lent).unwrap_or_else(|e| panic!("{e}"))
    }
}
