//! `qpga(start = zero)`, and the trained scale of `sst`.

use std::f64::consts::FRAC_PI_2;

use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc::tensor::Tensor;
use hqcc::weights::initialise;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::program::Entry;

use crate::machine::{File, Machine};

fn file(rule: &str) -> File {
    File::new(&format!(
        "model M() {{
  input ct: [1, H, W]
  a = relu(conv(ct, 6))
  {rule}
  b = conv(a, 5)
  output conv(b, 1, k = 1)
}}"
    ))
}

/// The logits in f32, whose bits count.
fn single(file: &File) -> Vec<f32> {
    let graph = file.network(false, true).graph;
    let entry = Entry { graph };
    let mut executor = CpuExecutor::<f32>::new();
    executor.load("net", &entry).expect("loads");
    for tensor in entry.state() {
        let start = initialise(&tensor, 7);
        executor.write(&tensor.name, &start).expect("writes");
    }
    let image = Tensor::from_fn([2, 1, 8, 8], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
    let outputs = executor.run("net", &[("ct", &image)]).expect("runs");
    outputs["output"].data().to_vec()
}

#[test]
fn a_pretrained_network_is_unchanged_at_first() {
    for post in [
        "rce",
        "sst",
        "sst, scale = learned",
        "lpp",
        "lpp, share = none",
        "affine",
    ] {
        let zero = format!("@qpga(start = zero, blocks = 2, post = {post})");
        assert_eq!(single(&file(&zero)), single(&file("@freeze")), "{post}");
        let random = format!("@qpga(blocks = 2, post = {post})");
        assert_ne!(single(&file(&random)), single(&file("@freeze")), "{post}");
    }
}

#[test]
fn what_is_subtracted_lasts_from_training_to_prediction() {
    let file = file("@qpga(start = zero, post = lpp)");
    let train = file.train();
    let kind = |name: &str| {
        train
            .state()
            .into_iter()
            .find(|t| t.name == name)
            .map(|t| t.kind)
    };
    for name in ["theta", "lpp.weight", "lpp.bias"] {
        let name = format!("b.weight.{name}");
        assert_eq!(kind(&name), Some(ParameterKind::Trained));
        assert_eq!(kind(&format!("{name}.start")), Some(ParameterKind::Frozen));
    }
    let mut machine = Machine::default();
    machine.load("train", &train, 7);
    let base = machine.read("b.weight");
    assert_eq!(
        machine.read("b.weight.theta"),
        machine.read("b.weight.theta.start")
    );
    machine.run("train", file.compiled.study());
    machine.run("train", file.compiled.study());
    assert_eq!(machine.read("b.weight"), base);
    let theta = machine.read("b.weight.theta");
    assert_ne!(theta, machine.read("b.weight.theta.start"));
    // A prediction takes the trained state, and only it, and its baked weight acts as the adapted one does.
    let (predict, weights) = file.predict();
    let evaluate = file.evaluate();
    let state = |name: &str| machine.read(name);
    let mut later = Machine::default();
    later.load_with("weights", &weights.expect("an adapted weight"), |t| {
        state(&t.name)
    });
    let baked = later
        .step("weights", &[])
        .remove("b.weight")
        .expect("the weight");
    assert_ne!(baked, base);
    later.load_with("predict", &predict, |t| match t.name.as_str() {
        "b.weight" => baked.clone(),
        name => state(name),
    });
    let mut trained = Machine::default();
    trained.load_with("evaluate", &evaluate, |t| state(&t.name));
    let wanted = trained.run("evaluate", file.compiled.study());
    let found = later.run("predict", file.compiled.study());
    let far = found["probability"].iter().zip(&wanted["probability"]);
    assert!(far.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-12);
}

#[test]
fn a_learned_scale_starts_at_the_fixed_one_and_has_a_gradient() {
    let (fixed, learned) = (
        file("@qpg(post = sst)"),
        file("@qpg(post = sst, scale = learned)"),
    );
    let gradients = learned.gradients();
    let loss = |scale: f64| {
        let mut machine = Machine::default();
        machine.load("g", &gradients, 7);
        machine.load_with("g", &gradients, |tensor| {
            let start = initialise(tensor, 7);
            match tensor.name.as_str() {
                "b.weight.sst.scale" => vec![scale],
                _ => start.data().iter().map(|&v| f64::from(v)).collect(),
            }
        });
        machine.run("g", learned.compiled.study())
    };
    let mut machine = Machine::default();
    machine.load("g", &fixed.gradients(), 7);
    let wanted = machine.run("g", fixed.compiled.study())["loss"][0];
    let at_start = loss(FRAC_PI_2);
    assert!((at_start["loss"][0] - wanted).abs() < 1e-12);
    let step = 1e-5;
    let slope =
        (loss(FRAC_PI_2 + step)["loss"][0] - loss(FRAC_PI_2 - step)["loss"][0]) / (2.0 * step);
    let found = at_start["grad b.weight.sst.scale"][0];
    assert!(
        (found - slope).abs() < 1e-7 * slope.abs().max(1.0),
        "{found} against {slope}"
    );
    assert!(slope.abs() > 1e-6);
}
