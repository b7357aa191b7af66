//! The networks of `models/` against the original PyTorch implementations: the same weights in, the same numbers out.
//!
//! Each file of `fixtures/models` says from what, with which settings, it was made, at small widths where the original allows it. Weights are set by
//! the original's names through the model's `names PyTorch`.

use std::collections::{BTreeMap, BTreeSet};

use hqcc::cpu::CpuExecutor;
use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::passes::optimiser::{Optimiser, SCHEDULE};
use hqcc_compiler::program::StateTensor;
use hqcc_compiler::steps::TARGET;
use hqcc_tests::digest::{Digest, parameter, uniform};
use hqcc_tests::machine::{Double, Machine, Single};
use hqcc_tests::networks;

use crate::gpu;
use crate::reference::{Digests, Reference};

/// Every case, and the ones that a software driver runs as well.
const CASES: [(&str, bool); 17] = [
    ("msnet", false),
    ("msnet_odd", false),
    ("msnet_short", true),
    ("nested", false),
    ("nested_deep", true),
    ("transunet_tiny", true),
    ("transunet_tiny_l3", false),
    ("transunet_vit", false),
    ("unet", false),
    ("unet_bilinear", false),
    ("unet_bilinear_odd", true),
    ("unet_odd", false),
    ("unext", false),
    ("unext_s", true),
    ("vgg13_depth4", false),
    ("vgg16", false),
    ("vgg16_bn", true),
];

/// A gradient this much smaller than the largest one is zero but for rounding.
const ZERO: f64 = 1e-9;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Logits in evaluation.
    Output,
    /// The loss in evaluation mode.
    FrozenLoss,
    /// Gradients in evaluation mode.
    Frozen,
    /// The loss of a training step.
    TrainLoss,
    /// Gradients of a training step.
    Train,
    /// Running statistics after one step.
    Statistics,
    /// The losses of three steps of Adam.
    AdamLoss,
    /// Parameters after them.
    AdamWeights,
}

use Group::{AdamLoss, AdamWeights, Frozen, FrozenLoss, Output, Statistics, Train, TrainLoss};

/// How far off the tensors of each group are, over the norm of what is wanted.
#[derive(Default)]
struct Distances(BTreeMap<Group, Vec<(f64, String)>>);

impl Distances {
    fn add(&mut self, group: Group, name: &str, distance: f64) {
        let distances = self.0.entry(group).or_default();
        distances.push((distance, name.to_owned()));
    }

    /// The groups with their distances in order; what is no number comes last.
    fn sorted(mut self) -> BTreeMap<Group, Vec<(f64, String)>> {
        for distances in self.0.values_mut() {
            distances.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.0
    }

    fn number(&mut self, group: Group, name: &str, found: f64, wanted: f64) {
        self.add(group, name, (found - wanted).abs() / wanted.abs());
    }

    fn tensor(&mut self, group: Group, name: &str, found: &[f64], wanted: &Digest) {
        let distance = Digest::of(found).distance(wanted);
        self.add(group, name, distance / wanted.norm());
    }

    /// Gradients by the original's names; those that are zero in exact arithmetic count against the largest one.
    fn gradients(&mut self, group: Group, found: &BTreeMap<&str, &[f64]>, wanted: &Digests) {
        let names: BTreeSet<_> = found.keys().copied().collect();
        let expected: BTreeSet<_> = wanted.keys().map(String::as_str).collect();
        assert_eq!(names, expected, "every gradient has its counterpart");
        let largest = wanted.values().map(Digest::norm).fold(0.0, f64::max);
        for (name, wanted) in wanted {
            let distance = Digest::of(found[name.as_str()]).distance(wanted);
            let scale = match wanted.norm() > ZERO * largest {
                true => wanted.norm(),
                false => largest,
            };
            self.add(group, name, distance / scale);
        }
    }
}

/// A network under test with the tensors of its state under the original's names.
struct Subject<'r> {
    reference: &'r Reference,
    state: Vec<(String, StateTensor)>,
}

impl Subject<'_> {
    fn write(&self, machine: &mut dyn Machine) {
        for (foreign, tensor) in &self.state {
            let shape = &tensor.ty.shape;
            let values = parameter(&self.reference.seed, foreign, shape);
            machine.write(&tensor.name, shape, &values);
        }
    }

    /// The gradients of a step by the original's names.
    fn gradients<'o>(&self, out: &'o BTreeMap<String, Vec<f64>>) -> BTreeMap<&str, &'o [f64]> {
        let found = self.state.iter().filter_map(|(foreign, tensor)| {
            let values = out.get(&format!("grad {}", tensor.name))?;
            Some((foreign.as_str(), values.as_slice()))
        });
        let found: BTreeMap<_, _> = found.collect();
        let all = out.keys().filter(|name| name.starts_with("grad "));
        assert_eq!(found.len(), all.count(), "every gradient is a parameter's");
        found
    }
}

/// Input and target: `uniform` values, and squares of zeros and ones.
fn sample(reference: &Reference) -> (Vec<f64>, Vec<f64>) {
    let [h, w] = reference.size;
    let count = reference.batch * reference.channels * h * w;
    let u = uniform(&format!("{}/input", reference.seed));
    let input: Vec<_> = (0..count)
        .map(|i| f64::from((1.75 * u(i)) as f32))
        .collect();
    let u = uniform(&format!("{}/target", reference.seed));
    let cell = |n, y, x| f64::from(u8::from(u((n * 8 + y * 8 / h) * 8 + x * 8 / w) > 0.0));
    let pixels = (0..reference.batch * h * w).map(|i| cell(i / (h * w), i / w % h, i % w));
    let target: Vec<_> = pixels.collect();
    assert!(Digest::of(&input).distance(&reference.input) < 1e-9);
    assert!(Digest::of(&target).distance(&reference.target) < 1e-9);
    (input, target)
}

/// Runs prediction and gradients with the reference's weights; with `all`, gradients in evaluation mode and three steps of training too.
fn distances(machine: &mut dyn Machine, reference: &Reference, all: bool) -> Distances {
    let size = reference.size();
    let network = networks::model(&reference.file, &reference.model, "bce + dice", size);
    let network = network.unwrap_or_else(|e| panic!("{e}"));
    let names = network.study().names("PyTorch");
    let names = names.expect("the file has `names PyTorch`");
    let made = "the network compiles";
    let input_name = network.source_network(size, false).expect(made).input;
    let train = network.train(size).expect(made);
    machine.load("predict", &network.predict(size).expect(made));
    machine.load("gradients", &network.gradients(size, true).expect(made));
    let state = train.state().into_iter();
    let state = state.filter(|tensor| tensor.kind != ParameterKind::Moment);
    let named = |tensor: StateTensor| {
        let foreign = names.to_foreign(&tensor.name);
        (foreign.unwrap_or_else(|e| panic!("{e}")), tensor)
    };
    let subject = Subject {
        reference,
        state: state.map(named).collect(),
    };
    let (input, target) = sample(reference);
    let image = [size.batch, size.channels, size.height, size.width];
    let mask = [size.batch, 1, size.height, size.width];
    let image = (input_name.as_str(), &image[..], input.as_slice());
    let target = (TARGET, &mask[..], target.as_slice());
    let mut worst = Distances::default();

    subject.write(machine);
    let out = machine.run("predict", &[image]);
    worst.tensor(Output, "logits", &out["logits"], &reference.eval);

    let out = machine.run("gradients", &[image, target]);
    let wanted = &reference.train;
    worst.number(TrainLoss, "loss", out["loss"][0], wanted.loss);
    worst.gradients(Train, &subject.gradients(&out), &wanted.gradients);
    let here: BTreeMap<_, _> = subject.state.iter().map(|(f, t)| (f, &t.name)).collect();
    for (name, wanted) in &wanted.statistics {
        worst.tensor(Statistics, name, &machine.read(here[name]), wanted);
    }

    if !all {
        return worst;
    }
    machine.load("frozen", &network.gradients(size, false).expect(made));
    machine.load("train", &train);
    subject.write(machine);
    let out = machine.run("frozen", &[image, target]);
    let wanted = &reference.frozen;
    worst.number(FrozenLoss, "loss", out["loss"][0], wanted.loss);
    worst.gradients(Frozen, &subject.gradients(&out), &wanted.gradients);

    let Optimiser::Adam {
        lr, beta1, beta2, ..
    } = network.study().train.optim
    else {
        panic!("the recipe asks for Adam");
    };
    for (t, wanted) in (1..).zip(&reference.adam.losses) {
        let rate = [
            lr,
            1.0 / (1.0 - beta1.powi(t)),
            (1.0 - beta2.powi(t)).sqrt().recip(),
        ];
        let out = machine.run("train", &[image, target, (SCHEDULE, &[3], &rate)]);
        worst.number(AdamLoss, &format!("step {t}"), out["loss"][0], *wanted);
    }
    for (name, wanted) in &reference.adam.parameters {
        worst.tensor(AdamWeights, name, &machine.read(here[name]), wanted);
    }
    worst
}

/// Bounds on the worst and on the middle tensor of a group.
type Limit = (Group, f64, f64);

/// The first bound that does not hold, in words.
fn fault(found: &BTreeMap<Group, Vec<(f64, String)>>, limits: &[Limit]) -> Option<String> {
    let bounds = limits.iter().filter_map(|(group, worst, middle)| {
        let distances = found.get(group)?;
        let (last, half) = (distances.len() - 1, distances.len() / 2);
        Some([
            (group, &distances[last], worst),
            (group, &distances[half], middle),
        ])
    });
    let mut broken = bounds.flatten().filter(|(_, (distance, _), limit)| {
        // What is no number is too far off.
        distance
            .partial_cmp(limit)
            .is_none_or(|order| order.is_gt())
    });
    broken.next().map(|(group, (distance, name), limit)| {
        format!("{group:?} of `{name}` is off by {distance:.1e}, {limit:.1e} is allowed")
    })
}

fn show(what: &str, found: &BTreeMap<Group, Vec<(f64, String)>>) {
    for (group, distances) in found {
        let (worst, name) = &distances[distances.len() - 1];
        let (middle, _) = &distances[distances.len() / 2];
        println!("{what}: {group:?} {worst:.1e} ({name}), median {middle:.1e}");
    }
}

/// Bounds in single precision: ten times the original's own rounding, as it was measured for the case.
fn near(reference: &Reference) -> Vec<Limit> {
    let noise = |group: &str, least: f64| {
        let noise = reference.made.float32_noise.get(group).copied();
        (10.0 * noise.unwrap_or(0.0)).max(least)
    };
    let limits = [
        (Output, noise("eval", 1e-5)),
        (FrozenLoss, noise("frozen_loss", 1e-5)),
        (Frozen, noise("frozen", 1e-4)),
        (TrainLoss, noise("train_loss", 1e-5)),
        (Train, noise("train", 1e-4)),
        (Statistics, noise("statistics", 1e-5)),
        (AdamLoss, 5e-2),
    ];
    limits.map(|(group, limit)| (group, limit, limit)).into()
}

/// The same where one rectifier or pool decides the other way, as rounding is free to do: that moves the gradient of a small tensor by up to a
/// tenth of itself, and behind a batch normalisation over a few pixels those of all others by a hundredth. MSNet has the smallest maps.
fn flipped(reference: &Reference) -> Vec<Limit> {
    let worse = if reference.file == "msnet.hqc" {
        3.0
    } else {
        1.0
    };
    let loosen = |(group, worst, middle): Limit| match group {
        Frozen => (group, 0.1 * worse, 1e-3 * worse),
        Train => (group, 0.1 * worse, 1e-2 * worse),
        _ => (group, worst, middle),
    };
    near(reference).into_iter().map(loosen).collect()
}

/// Holds every case against the bounds, most of them against those without flips.
fn check_single(what: &str, found: Vec<(&str, Distances)>) {
    let (mut cases, mut without) = (0, 0);
    for (case, distances) in found {
        let reference = Reference::read(case);
        let distances = distances.sorted();
        show(&format!("{case}, {what}"), &distances);
        let fault_here = fault(&distances, &flipped(&reference));
        assert_eq!(fault_here, None, "{case}, {what}");
        cases += 1;
        without += usize::from(fault(&distances, &near(&reference)).is_none());
    }
    assert!(
        2 * without > cases,
        "{what}: {without} of {cases} cases without a flip"
    );
}

#[test]
fn the_cpu_agrees_with_the_originals_in_double_precision() {
    let groups = [
        Output, FrozenLoss, Frozen, TrainLoss, Train, Statistics, AdamLoss,
    ];
    let mut limits: Vec<_> = groups.iter().map(|group| (*group, 1e-9, 1e-9)).collect();
    limits.push((AdamWeights, 1e-8, 1e-9));
    for (case, _) in CASES {
        let found = distances(
            &mut Double(CpuExecutor::new()),
            &Reference::read(case),
            true,
        );
        let found = found.sorted();
        show(&format!("{case}, cpu, f64"), &found);
        assert_eq!(fault(&found, &limits), None, "{case}");
    }
}

#[test]
fn the_cpu_agrees_with_the_originals_in_single_precision() {
    let found = CASES.iter().map(|(case, _)| {
        let mut machine = Single(Box::new(CpuExecutor::<f32>::new()));
        (*case, distances(&mut machine, &Reference::read(case), true))
    });
    check_single("cpu, f32", found.collect());
}

#[test]
fn the_gpu_agrees_with_the_originals() {
    let mut found = Vec::new();
    for (case, _) in CASES.iter().filter(|(_, small)| *small) {
        let Some(executor) = gpu() else { return };
        let mut machine = Single(Box::new(executor));
        found.push((
            *case,
            distances(&mut machine, &Reference::read(case), false),
        ));
    }
    check_single("gpu", found);
}

#[test]
fn every_parameter_of_the_originals_is_there_and_the_computed_ones_have_gradients() {
    for (case, _) in CASES {
        let reference = Reference::read(case);
        let size = reference.size();
        let network = networks::model(&reference.file, &reference.model, "bce", size);
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        let names = network.study().names("PyTorch");
        let names = names.expect("the file has `names PyTorch`");
        let entry = network.gradients(size, true).expect("the network compiles");
        let unused: BTreeSet<_> = reference.unused.iter().map(String::as_str).collect();
        let mut count = 0;
        for tensor in entry.state() {
            if matches!(
                tensor.kind,
                ParameterKind::Statistic | ParameterKind::Moment
            ) {
                continue;
            }
            count += tensor.ty.elements();
            let foreign = names.to_foreign(&tensor.name);
            let foreign = foreign.unwrap_or_else(|e| panic!("{e}"));
            let gradient = format!("grad {}", tensor.name);
            let computed = entry.graph.outputs().contains_key(&gradient);
            assert_ne!(computed, unused.contains(foreign.as_str()), "{foreign}");
        }
        assert_eq!(count, reference.parameters, "{case}");
    }
}
