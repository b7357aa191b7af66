//! Evaluates a case's graph on an executor.

use std::collections::BTreeMap;

use hqcc::Tensor;
use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc_compiler::graph::Graph;
use hqcc_compiler::tensor_type::TensorType;

use crate::case::entry;

/// Results by name, in double precision.
pub type Values = BTreeMap<String, Vec<f64>>;
/// Inputs by name, with their types.
pub type Given = BTreeMap<String, (TensorType, Vec<f64>)>;

/// Outputs and state after one step on an executor of single precision.
pub fn single(executor: &mut dyn Executor, graph: &Graph, given: &Given) -> Result<Values, String> {
    let entry = entry(graph.clone());
    executor.load("case", &entry).map_err(|e| e.to_string())?;
    let tensor = |name: &str| -> Result<Tensor, String> {
        let (ty, values) = given
            .get(name)
            .ok_or_else(|| format!("no value for {name}"))?;
        Tensor::new(ty.shape.clone(), values.iter().map(|&v| v as f32).collect())
            .map_err(|e| e.to_string())
    };
    for state in entry.state() {
        executor
            .write(&state.name, &tensor(&state.name)?)
            .map_err(|e| e.to_string())?;
    }
    let inputs: Vec<(String, Tensor)> = entry
        .inputs()
        .into_iter()
        .map(|(name, _)| Ok((name.clone(), tensor(&name)?)))
        .collect::<Result<_, String>>()?;
    let lent: Vec<(&str, &Tensor)> = inputs
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let outputs = executor.run("case", &lent).map_err(|e| e.to_string())?;
    let wide = |tensor: &Tensor| tensor.data().iter().map(|&v| f64::from(v)).collect();
    let mut values: Values = outputs
        .iter()
        .map(|(name, tensor)| (name.clone(), wide(tensor)))
        .collect();
    for state in entry.state() {
        let after = executor.read(&state.name).map_err(|e| e.to_string())?;
        values.insert(state.name, wide(&after));
    }
    Ok(values)
}

/// Outputs and state after one step on the CPU in double precision.
pub fn double(graph: &Graph, given: &Given) -> Result<Values, String> {
    let mut executor = CpuExecutor::<f64>::new();
    let entry = entry(graph.clone());
    executor.load("case", &entry).map_err(|e| e.to_string())?;
    double_on(&mut executor, &entry, given)
}

/// As [`double`], on an executor that has the entry loaded as `case`.
pub fn double_on(
    executor: &mut CpuExecutor<f64>,
    entry: &hqcc_compiler::program::Entry,
    given: &Given,
) -> Result<Values, String> {
    let value = |name: &str| {
        given
            .get(name)
            .map(|(_, v)| v.as_slice())
            .ok_or_else(|| format!("no value for {name}"))
    };
    for state in entry.state() {
        executor
            .write_values(&state.name, value(&state.name)?)
            .map_err(|e| e.to_string())?;
    }
    let names: Vec<String> = entry.inputs().into_iter().map(|(name, _)| name).collect();
    let lent: Vec<(&str, &[f64])> = names
        .iter()
        .map(|name| Ok((name.as_str(), value(name)?)))
        .collect::<Result<_, String>>()?;
    let mut values = executor.step("case", &lent).map_err(|e| e.to_string())?;
    for state in entry.state() {
        let after = executor
            .read_values(&state.name)
            .map_err(|e| e.to_string())?;
        values.insert(state.name, after);
    }
    Ok(values)
}
