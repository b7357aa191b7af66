//! `conv_lora` against loralib: outputs, the weight that is used, and gradients. `fixtures/conv_lora.json` says with which
//! versions its numbers were made.

use std::collections::BTreeMap;

use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::{Graph, Input, ParameterKind};
use hqcc_compiler::ops::{Mul, ReduceSum, Reshape};
use hqcc_compiler::passes::{autodiff, simplify};
use hqcc_compiler::program::Entry;
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;
use serde::Deserialize;

use crate::machine::{File, Machine};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    layer: String,
    channels: [usize; 2],
    k: usize,
    rank: usize,
    alpha: f64,
    stride: usize,
    padding: usize,
    groups: usize,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    lora_a: Vec<f64>,
    lora_b: Vec<f64>,
    shape_a: [usize; 2],
    shape_b: [usize; 2],
    v: Vec<f64>,
    y: Vec<f64>,
    used: Vec<f64>,
    grad: BTreeMap<String, Vec<f64>>,
}

impl Case {
    fn file(&self) -> File {
        let [from, to] = self.channels;
        let (height, width) = if self.layer == "conv" { (5, 6) } else { (2, 3) };
        let Case {
            k,
            stride,
            padding,
            groups,
            rank,
            alpha,
            ..
        } = self;
        let layer = match self.layer.as_str() {
            "conv" => format!(
                "l = conv(ct, {to}, k = {k}, stride = {stride}, padding = {padding}, groups = {groups})\n  output l"
            ),
            _ => format!("l = linear(to_tokens(ct), {to})\n  output to_image(l, H)"),
        };
        let text = format!(
            "model M() {{\n  input ct: [{from}, H, W]\n  @conv_lora(rank = {rank}, alpha = {alpha})\n  {layer}\n}}"
        );
        let size = Size {
            batch: 2,
            channels: from,
            height,
            width,
        };
        File::sized(&text, size)
    }

    fn state(&self, name: &str) -> Vec<f64> {
        match name {
            "l.weight" => &self.weight,
            "l.bias" => &self.bias,
            "l.weight.lora_a" => &self.lora_a,
            "l.weight.lora_b" => &self.lora_b,
            other => panic!("`{other}` is no parameter of the layer"),
        }
        .clone()
    }
}

/// The network with `sum(output v)` as output `loss`, and the gradients of what is trained.
fn with_gradients(mut graph: Graph, y: hqcc_compiler::graph::NodeId) -> Graph {
    let ty = graph.ty(y).clone();
    let axes = (0..ty.rank()).collect();
    let v = graph.add(Input { ty }, &[], "v").expect("an input");
    let product = graph.add(Mul, &[y, v], "product").expect("a product");
    let sum = graph
        .add(ReduceSum { axes }, &[product], "sum")
        .expect("a sum");
    let to = TensorType::scalar();
    let loss = graph.add(Reshape { to }, &[sum], "loss").expect("a scalar");
    graph.set_output("loss", loss);
    let wanted = autodiff::trained(&graph);
    for (parameter, gradient) in
        autodiff::differentiate(&mut graph, loss, &wanted).expect("gradients")
    {
        let name = format!("grad {}", graph.name(parameter));
        graph.set_output(name, gradient);
    }
    simplify::simplify(&mut graph).expect("an order");
    graph
}

#[test]
fn outputs_and_gradients_are_those_of_loralib() {
    let text = include_str!("fixtures/conv_lora.json");
    let golden: Golden = serde_json::from_str(text).expect("the fixture");
    assert_eq!(golden.cases.len(), 4);
    for case in &golden.cases {
        let file = case.file();
        let network = file.network(true, true);
        let entry = Entry {
            graph: with_gradients(network.graph, network.output),
        };
        let state = entry.state();
        let shape = |name: &str| {
            state
                .iter()
                .find(|t| t.name == name)
                .map(|t| t.ty.shape.clone())
        };
        assert_eq!(
            shape("l.weight.lora_a"),
            Some(case.shape_a.to_vec()),
            "{}",
            case.name
        );
        assert_eq!(
            shape("l.weight.lora_b"),
            Some(case.shape_b.to_vec()),
            "{}",
            case.name
        );
        let mut machine = Machine::default();
        machine.load_with("step", &entry, |tensor| case.state(&tensor.name));
        let found = machine.step("step", &[("ct", &case.x), ("v", &case.v)]);
        let near = |what: &str, found: &[f64], want: &[f64]| {
            if let Some(difference) = Tolerance::Double.difference(found, want) {
                panic!("{}, {what}: {difference}", case.name);
            }
        };
        near("output", &found["output"], &case.y);
        for (name, want) in &case.grad {
            let path = match name.as_str() {
                "bias" => "l.bias".to_owned(),
                name => format!("l.weight.{name}"),
            };
            near(name, &found[&format!("grad {path}")], want);
        }
        assert!(!found.contains_key("grad l.weight"), "the base is frozen");
        // What a prediction bakes in is the weight that loralib merges.
        let (_, weights) = file.predict();
        machine.load_with("weights", &weights.expect("an adapted weight"), |t| {
            case.state(&t.name)
        });
        near(
            "weight",
            &machine.step("weights", &[])["l.weight"],
            &case.used,
        );
    }
}

#[test]
fn the_network_is_unchanged_at_first() {
    let text = "model M() {
  input ct: [1, H, W]
  up = conv_transpose(conv(ct, 4), 6, groups = 2)
  t = linear(to_tokens(up), 3)
  output conv(max_pool(to_image(t, 16), 2), 1)
}
rewrite Lora { ** => conv_lora(rank = 2) }
train { model = M()  rewrite = Lora }";
    let size = Size {
        batch: 2,
        channels: 1,
        height: 8,
        width: 8,
    };
    let adapted = File::sized(text, size);
    let plain = File::sized(&text.replace("rewrite = Lora", ""), size);
    let image: Vec<f64> = (0..128).map(|i| f64::from(i % 11) - 5.0).collect();
    let output = |file: &File| {
        let graph = file.network(false, true).graph;
        let mut machine = Machine::default();
        machine.load("net", &Entry { graph }, 3);
        machine.step("net", &[("ct", &image)])["output"].clone()
    };
    assert_eq!(output(&adapted), output(&plain));
    let state = adapted.train().state();
    let frozen = state.iter().filter(|t| t.kind == ParameterKind::Frozen);
    assert_eq!(frozen.count(), 4);
    let rows = |name: &str| {
        state
            .iter()
            .find(|t| t.name == name)
            .map(|t| t.ty.shape.clone())
    };
    // [C_in, C_out / groups, k, k] = [4, 3, 2, 2] in two groups.
    assert_eq!(rows("up.weight.lora_b"), Some(vec![4, 4]));
    assert_eq!(rows("up.weight.lora_a"), Some(vec![4, 12]));
    assert_eq!(rows("t.weight.lora_a"), Some(vec![2, 6]));
}
