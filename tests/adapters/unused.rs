//! `@unused` and several heads.

use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::summary::summarise;

use crate::machine::{File, Machine};

const UNUSED: &str = "block double(x, channels) {
  conv = conv(x, channels, bias = false)
  return relu(batch_norm(conv))
}
model M() {
  input ct: [1, H, W]
  a = double(ct, 4)
  @unused
  spare = double(a, 6)
  @unused
  classes = conv(a, 3, k = 1)
  head = conv(a, 1, k = 1)
  output head
}";

#[test]
fn unused_parameters_are_kept_and_never_change() {
    let file = File::new(UNUSED);
    let (train, evaluate) = (file.train(), file.evaluate());
    for entry in [&train, &evaluate] {
        let state = entry.state();
        let kind = |name: &str| state.iter().find(|t| t.name == name).map(|t| t.kind);
        assert_eq!(kind("spare.conv.weight"), Some(ParameterKind::Unused));
        assert_eq!(kind("classes.bias"), Some(ParameterKind::Unused));
        let statistic = kind("spare.batch_norm.running_mean");
        assert_eq!(statistic, Some(ParameterKind::Statistic));
        assert!(entry.graph.find("classes").is_none(), "it is computed");
    }
    // Neither moments nor updates.
    assert!(
        train
            .state()
            .iter()
            .all(|t| !t.name.starts_with("optim") || !t.name.contains("spare"))
    );
    let mut machine = Machine::default();
    machine.load("train", &train, 1);
    let names = [
        "spare.conv.weight",
        "spare.batch_norm.running_var",
        "head.weight",
    ];
    let before = names.map(|name| machine.read(name));
    machine.run("train", file.compiled.study());
    let after = names.map(|name| machine.read(name));
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
    let (predict, _) = file.predict();
    assert!(predict.graph.find("spare.conv.weight").is_none());
}

#[test]
fn unused_parameters_have_a_figure_of_their_own() {
    let file = File::new(UNUSED);
    let summary = summarise(&file.network(true, true).graph);
    assert_eq!(summary.unused, 4 * 6 * 9 + 12 + 4 * 3 + 3);
    assert_eq!(summary.trained, 36 + 8 + 4 + 1);
    let row = summary.layers.iter().find(|row| row.path == "classes");
    let row = row.expect("a row");
    assert_eq!(
        (row.op.as_str(), row.unused, row.trained, row.flops),
        ("unused", 15, 0, 0)
    );
}

const HEADS: &str = "model M() {
  input ct: [1, H, W]
  a = relu(conv(ct, 4))
  one = conv(a, 1, k = 1)
  two = conv(a, 1)
  output one, two
}";

#[test]
fn the_loss_is_the_mean_over_the_heads_and_the_last_one_is_evaluated() {
    let both = File::new(HEADS);
    let alone = |name: &str| File::new(&HEADS.replace("one, two", name));
    let (one, two) = (alone("one"), alone("two"));
    let run = |file: &File, evaluate: bool| {
        let mut machine = Machine::default();
        let entry = if evaluate {
            file.evaluate()
        } else {
            file.gradients()
        };
        machine.load("e", &entry, 1);
        machine.run("e", file.compiled.study())
    };
    let [both_, one, two_] = [&both, &one, &two].map(|file| run(file, false));
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near(
        &both_["loss"],
        &[(one["loss"][0] + two_["loss"][0]) / 2.0]
    ));
    let half: Vec<_> = one["grad one.weight"].iter().map(|v| v / 2.0).collect();
    assert!(near(&both_["grad one.weight"], &half));
    let (both, two) = (run(&both, true), run(&two, true));
    assert_eq!(both["loss"], two["loss"]);
    assert_eq!(both["probability"], two["probability"]);
}
