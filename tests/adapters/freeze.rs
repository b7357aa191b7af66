//! `freeze`, with running statistics and without.

use hqcc_compiler::graph::{Parameter, ParameterKind};
use hqcc_compiler::ops::BatchNorm;

use crate::machine::{File, Machine, Values};

const MODEL: &str = "block layer(x, channels) {
  conv = conv(x, channels, bias = false)
  return relu(batch_norm(conv))
}
model M() {
  input ct: [1, H, W]
  encoder = layer(ct, 4)
  decoder = layer(encoder, 4)
  output conv(decoder, 1, k = 1)
}";

fn file(rules: &str) -> File {
    let train = "train { model = M()  rewrite = R  loss = bce  optim = adam(lr = 1e-2, weight_decay = 0.1) }";
    let size = File::new(MODEL).size;
    File::sized(&format!("{MODEL}\nrewrite R {{ {rules} }}\n{train}"), size)
}

const NAMES: [&str; 4] = [
    "conv.weight",
    "batch_norm.weight",
    "batch_norm.running_mean",
    "batch_norm.running_var",
];

/// Which tensors of a block a step of training changes.
fn changed(file: &File, block: &str) -> [bool; 4] {
    let mut machine = Machine::default();
    machine.load("train", &file.train(), 1);
    let names = NAMES.map(|name| format!("{block}.{name}"));
    let before = names.clone().map(|name| machine.read(&name));
    machine.run("train", file.compiled.study());
    let mut at = 0;
    names.map(|name| {
        at += 1;
        machine.read(&name) != before[at - 1]
    })
}

#[test]
fn statistics_move_unless_they_are_named() {
    let default = file("freeze encoder.**");
    assert_eq!(changed(&default, "encoder"), [false, false, true, true]);
    assert_eq!(changed(&default, "decoder"), [true; 4]);
    let whole = file("freeze(statistics = true) encoder.**");
    assert_eq!(changed(&whole, "encoder"), [false; 4]);
    assert_eq!(changed(&whole, "decoder"), [true; 4]);
    // Twice is once.
    let twice = file("freeze encoder.**  freeze(statistics = true) encoder");
    assert_eq!(changed(&twice, "encoder"), [false; 4]);
}

#[test]
fn training_normalises_by_frozen_statistics() {
    let all = file("freeze(statistics = true) encoder.**  freeze(statistics = true) decoder.**");
    let graph = all.network(true, true).graph;
    assert!(
        graph
            .ids()
            .all(|id| graph.node(id).op.name() != "batch_stats")
    );
    let norms = graph.ids().filter_map(|id| graph.op::<BatchNorm>(id));
    assert_eq!(norms.filter(|norm| !norm.training).count(), 2);
    // The training network is then the one that is evaluated.
    let run = |training: bool| -> Values {
        let graph = all.network(training, true).graph;
        let mut machine = Machine::default();
        let entry = hqcc_compiler::program::Entry { graph };
        machine.load_with("net", &entry, |tensor| {
            let spread = |i: usize| 0.3 + 0.1 * (i % 7) as f64;
            (0..tensor.ty.elements()).map(spread).collect()
        });
        machine.run("net", all.compiled.study())
    };
    assert_eq!(run(true)["output"], run(false)["output"]);
}

#[test]
fn globs_reach_layers_and_adapters_stay_trained() {
    let file = file("freeze **  **.conv => qpga(post = sst)");
    let graph = file.network(true, true).graph;
    let kinds = |kind| {
        let of = |id| {
            graph
                .op::<Parameter>(id)
                .is_some_and(|p: &Parameter| p.kind == kind)
        };
        let mut names: Vec<_> = graph
            .ids()
            .filter(|&id| of(id))
            .map(|id| graph.name(id))
            .collect();
        names.sort_unstable();
        names
    };
    let angles = [
        "conv.weight.theta",
        "decoder.conv.weight.theta",
        "encoder.conv.weight.theta",
    ];
    assert_eq!(kinds(ParameterKind::Trained), angles);
    assert_eq!(kinds(ParameterKind::Frozen).len(), 3 + 1 + 4);
}
