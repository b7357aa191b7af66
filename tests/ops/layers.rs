//! Layers made of several ops, as models call them.

use std::collections::BTreeMap;

use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc_compiler::graph::{Graph, Input, NodeId};
use hqcc_compiler::ops::{Builder, LAYERS, Mul, ReduceSum, Reshape};
use hqcc_compiler::passes::autodiff::{differentiate, trained};
use hqcc_compiler::passes::rewrite::{self, Rule};
use hqcc_compiler::setting::{SettingValue, Settings};
use hqcc_compiler::tensor_type::TensorType;

use crate::case::{Rng, entry};

/// Adds a layer with these settings and nothing else: the defaults that a layer needs must be given.
fn layer(
    graph: &mut Graph,
    name: &str,
    tensors: &[NodeId],
    settings: &[(&'static str, SettingValue)],
) -> NodeId {
    let info = LAYERS
        .iter()
        .find(|layer| layer.name == name)
        .expect("a layer");
    let settings = Settings(settings.iter().cloned().collect());
    let mut builder = Builder {
        graph,
        path: name.to_owned(),
        training: true,
    };
    (info.build)(&mut builder, tensors, &settings).expect(name)
}

#[test]
fn a_standardised_weight_may_come_from_anywhere() {
    let rules = [
        None,
        Rule::new("conv", "qpg"),
        Rule::new("conv", "qpga"),
        Rule::new("conv", "conv_lora").map(|rule| rule.with("rank", SettingValue::Int(2))),
    ];
    for rule in rules {
        let mut graph = Graph::default();
        let ty = TensorType::image([2, 5, 6, 4]);
        let x = graph.add(Input { ty }, &[], "x").expect("x");
        let whole = SettingValue::Int;
        let y = layer(
            &mut graph,
            "conv",
            &[x],
            &[
                ("channels", whole(8)),
                ("k", whole(3)),
                ("stride", whole(1)),
                ("dilation", whole(1)),
                ("groups", whole(1)),
                ("standardise", SettingValue::Bool(true)),
            ],
        );
        let rules: Vec<Rule> = rule.into_iter().collect();
        rewrite::apply(&mut graph, &rules).expect("the rule applies");
        let weight = graph.inputs(y)[1];
        graph.set_output("weight", weight);
        let square = graph.add(Mul, &[y, y], "square").expect("square");
        let axes = vec![0, 1, 2, 3];
        let sum = graph
            .add(ReduceSum { axes }, &[square], "sum")
            .expect("sum");
        let to = TensorType::scalar();
        let loss = graph.add(Reshape { to }, &[sum], "loss").expect("loss");
        graph.set_output("loss", loss);
        graph.prune();
        let parameters = trained(&graph);
        let names: Vec<String> = parameters
            .iter()
            .map(|&id| graph.name(id).to_owned())
            .collect();
        for (at, (_, gradient)) in differentiate(&mut graph, loss, &parameters)
            .expect("a gradient")
            .into_iter()
            .enumerate()
        {
            graph.set_output(format!("d{at}"), gradient);
        }
        let entry = entry(graph);
        let mut executor = CpuExecutor::<f64>::new();
        executor.load("case", &entry).expect("loads");
        let mut rng = Rng::new(3);
        let values = |rng: &mut Rng, count: usize| -> Vec<f64> {
            (0..count).map(|_| rng.real(-1.0, 1.0)).collect()
        };
        let x = values(&mut rng, 2 * 5 * 6 * 4);
        let mut state: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for tensor in entry.state() {
            let start = values(&mut rng, tensor.ty.elements());
            executor.write_values(&tensor.name, &start).expect("state");
            state.insert(tensor.name, start);
        }
        let exact = executor.step("case", &[("x", &x)]).expect("a step");
        for channel in exact["weight"].chunks(5 * 9) {
            let mean = channel.iter().sum::<f64>() / 45.0;
            let variance = channel.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / 45.0;
            assert!(mean.abs() < 1e-12, "{rules:?}: mean {mean}");
            assert!(
                (variance - 1.0).abs() < 0.05,
                "{rules:?}: variance {variance}"
            );
        }
        for (at, name) in names.iter().enumerate() {
            let gradient = &exact[&format!("d{at}")];
            let scale = gradient.iter().fold(1e-3f64, |most, g| most.max(g.abs()));
            for k in (0..gradient.len()).step_by(gradient.len().div_ceil(5)) {
                let mut loss = |delta: f64| {
                    let mut moved = state[name].clone();
                    moved[k] += delta;
                    executor.write_values(name, &moved).expect("state");
                    executor.step("case", &[("x", &x)]).expect("a step")["loss"][0]
                };
                let difference = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                executor.write_values(name, &state[name]).expect("state");
                assert!(
                    (difference - gradient[k]).abs() < 1e-6 * scale,
                    "{rules:?}, {name}[{k}]: {} against {difference}",
                    gradient[k]
                );
            }
        }
    }
}

#[test]
fn heads_are_parts_of_the_channels() {
    let mut graph = Graph::default();
    let ty = TensorType::plain([1, 3, 4]);
    let x = graph.add(Input { ty }, &[], "x").expect("x");
    let heads = [("heads", SettingValue::Int(2))];
    let split = layer(&mut graph, "split_heads", &[x], &heads);
    let merged = layer(&mut graph, "merge_heads", &[split], &[]);
    assert_eq!(*graph.ty(split), TensorType::plain([1, 2, 3, 2]));
    graph.set_output("split", split);
    graph.set_output("merged", merged);
    let mut executor = CpuExecutor::<f64>::new();
    executor.load("case", &entry(graph)).expect("loads");
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let found = executor.step("case", &[("x", &x)]).expect("a step");
    let split = [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11].map(f64::from);
    assert_eq!(found["split"], split);
    assert_eq!(found["merged"], x);
}
