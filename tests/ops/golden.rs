//! Ops against PyTorch in double precision: golden/ops.json, golden/maps.json and golden/norms.json hold cases computed by
//! PyTorch 2.15.0 (seeds 20260127, 20260301 and 20261123).

use std::collections::BTreeMap;

use hqcc::cpu::CpuExecutor;
use hqcc_compiler::ops::{self, BatchNorm, GroupNorm};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;
use serde::Deserialize;
use serde_json::Value;

use crate::batch_norm::of_the_batch;
use crate::case::{Arg, Build, Case};
use crate::norms::of_its_groups;
use crate::run::{double, single};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<GoldenCase>,
}

#[derive(Deserialize)]
struct GoldenCase {
    name: String,
    op: String,
    attributes: Value,
    inputs: Vec<Values>,
    output: Option<Values>,
    dy: Option<Values>,
    #[serde(default)]
    grads: BTreeMap<String, Values>,
    #[serde(default)]
    moments: usize,
    #[serde(default)]
    steps: Vec<OptimiserStep>,
}

#[derive(Deserialize)]
struct OptimiserStep {
    g: Values,
    schedule: Vec<f64>,
    after: Values,
}

#[derive(Deserialize, Clone)]
struct Values {
    layout: String,
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Values {
    fn arg(&self) -> Arg {
        let four = || <[usize; 4]>::try_from(self.shape.as_slice()).expect("four axes");
        let ty = match self.layout.as_str() {
            "image" => TensorType::image(four()),
            "kernel" => TensorType::kernel(four()),
            _ => TensorType::plain(self.shape.clone()),
        };
        Arg {
            ty,
            values: self.values.clone(),
        }
    }
}

fn golden() -> Golden {
    let read = |name: &str| -> Golden {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/");
        let text = std::fs::read_to_string(folder.to_owned() + name).expect(name);
        serde_json::from_str(&text).expect(name)
    };
    let mut all = read("ops.json");
    for more in ["maps.json", "norms.json"] {
        all.cases.extend(read(more).cases);
    }
    all
}

fn case(golden: &GoldenCase) -> Case {
    let op = ops::read(&golden.op, golden.attributes.clone()).expect("an op");
    let batch = op.downcast::<BatchNorm>().is_some_and(|op| op.training);
    let args = golden.inputs.iter().map(Values::arg).collect();
    let wrt = golden
        .grads
        .keys()
        .map(|at| at.parse().expect("an index"))
        .collect();
    let groups = op.downcast::<GroupNorm>().is_some();
    let build = match (batch, groups) {
        (true, _) => Some(of_the_batch as Build),
        (_, true) => Some(of_its_groups as Build),
        _ => None,
    };
    Case {
        op,
        args,
        wrt,
        tolerance: Tolerance::Accumulated,
        build,
    }
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let golden = golden();
    let mut compared = 0;
    for golden in golden.cases.iter().filter(|golden| golden.output.is_some()) {
        let case = case(golden);
        let (forward, _, _) = case
            .graph()
            .unwrap_or_else(|e| panic!("{}: {e}", golden.name));
        let mut given = case.values();
        let mut runs = vec![(
            forward,
            vec![(
                "y".to_owned(),
                golden.output.clone().expect("an output").values,
            )],
        )];
        if let Some(dy) = &golden.dy {
            let graph = case
                .gradient_graph()
                .unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            let mut r = dy.arg();
            r.ty = runs[0]
                .0
                .outputs()
                .values()
                .map(|&y| runs[0].0.ty(y).clone())
                .next()
                .expect("an output");
            given.insert("r".into(), (r.ty, r.values));
            let grads = golden
                .grads
                .iter()
                .map(|(at, grad)| (format!("d{at}"), grad.values.clone()))
                .collect();
            runs.push((graph, grads));
        }
        for (graph, wanted) in runs {
            let exact = double(&graph, &given).unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            let rounded = single(&mut CpuExecutor::<f32>::new(), &graph, &given)
                .unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            for (name, want) in wanted {
                for (got, tolerance) in [
                    (&exact[&name], Tolerance::Double),
                    (&rounded[&name], Tolerance::Accumulated),
                ] {
                    if let Some(difference) = tolerance.difference(got, &want) {
                        panic!("{}, {name}, {tolerance:?}: {difference}", golden.name);
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} comparisons");
}

#[test]
fn optimisers_walk_as_those_of_pytorch() {
    let golden = golden();
    let mut walked = 0;
    for golden in golden
        .cases
        .iter()
        .filter(|golden| !golden.steps.is_empty())
    {
        let mut state: Vec<Arg> = vec![golden.inputs[0].arg()];
        for _ in 0..golden.moments {
            state.push(Arg {
                values: vec![0.0; state[0].values.len()],
                ..state[0].clone()
            });
        }
        for (t, step) in golden.steps.iter().enumerate() {
            let mut args = state.clone();
            args.push(step.g.arg());
            args.push(Arg {
                ty: TensorType::plain([3]),
                values: step.schedule.clone(),
            });
            let op = ops::read(&golden.op, golden.attributes.clone()).expect("an op");
            let case = Case {
                op,
                args,
                wrt: Vec::new(),
                tolerance: Tolerance::Double,
                build: None,
            };
            let (graph, _, _) = case
                .graph()
                .unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            let after =
                double(&graph, &case.values()).unwrap_or_else(|e| panic!("{}: {e}", golden.name));
            if let Some(difference) = Tolerance::Double.difference(&after["y"], &step.after.values)
            {
                panic!("{}, step {t}: {difference}", golden.name);
            }
            for (at, arg) in state.iter_mut().enumerate() {
                arg.values = after[&case.name(at)].clone();
            }
            walked += 1;
        }
    }
    assert_eq!(walked, 12);
}
