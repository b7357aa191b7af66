//! Joined nodes in shared memory compute what single nodes in memory of their own do.

use std::collections::BTreeMap;

use hqcc::cpu::real::Real;
use hqcc::cpu::{CpuExecutor, capabilities};
use hqcc::executor::Executor;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::{
    Capabilities, Graph, Init, Input, NodeId, Op, Parameter, ParameterKind, verify,
};
use hqcc_compiler::ops::{
    Add, Affine, BatchNorm, BatchStats, Conv2d, DROPOUT_KEY, GroupNorm, GroupStats, Matmul, Mul,
    ReduceSum, Relu, Reshape, RunningAverage, Sigmoid,
};
use hqcc_compiler::passes::autodiff::{differentiate, trained};
use hqcc_compiler::passes::fuse::fuse;
use hqcc_compiler::passes::optimiser::{Optimiser, SCHEDULE, add_updates};
use hqcc_compiler::passes::simplify::simplify;
use hqcc_compiler::plan::{Sharing, Storage, memory_of_kernels};
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps::{self, TARGET};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::digest::{parameter, uniform};
use hqcc_tests::networks;
use proptest::prelude::*;

use crate::training::EXPERIMENTS;

/// Its updates follow the gradient itself: those of Adam would make a sign of what is rounding alone.
const SGD: Optimiser = Optimiser::Sgd {
    lr: 1e-2,
    momentum: 0.9,
    weight_decay: 1e-4,
    nesterov: false,
};

type Values = BTreeMap<String, Vec<f64>>;

fn input(name: &str, len: usize) -> Vec<f64> {
    let u = uniform(name);
    match name {
        SCHEDULE => vec![1e-2, 1.0, 1.0],
        DROPOUT_KEY => vec![1.0, 2.0, 3.0, 4.0],
        TARGET => (0..len).map(|i| f64::from(u8::from(u(i) > 0.0))).collect(),
        _ => (0..len).map(u).collect(),
    }
}

/// Outputs and state after two steps.
fn run<T: Real>(mut executor: CpuExecutor<T>, graph: &Graph) -> Values {
    let entry = Entry {
        graph: graph.clone(),
    };
    executor.load("step", &entry).expect("it loads");
    let narrow = |values: &[f64]| values.iter().map(|&v| T::of(v)).collect::<Vec<_>>();
    for state in entry.state() {
        let values = match state.kind {
            ParameterKind::Moment => vec![0.0; state.ty.elements()],
            _ => parameter("joined", &state.name, &state.ty.shape),
        };
        let done = executor.write_values(&state.name, &narrow(&values));
        done.expect("the state is there");
    }
    let given: Vec<(String, Vec<T>)> = entry
        .inputs()
        .into_iter()
        .map(|(name, ty)| {
            let values = narrow(&input(&name, ty.elements()));
            (name, values)
        })
        .collect();
    let lent: Vec<(&str, &[T])> = given.iter().map(|(n, v)| (n.as_str(), &v[..])).collect();
    let mut found = Values::new();
    for step in 0..2 {
        for (name, values) in executor.step("step", &lent).expect("a step") {
            let values = values.into_iter().map(|v| v.f64()).collect();
            found.insert(format!("{name} of step {step}"), values);
        }
    }
    for state in entry.state() {
        let values = executor.read_values(&state.name).expect("it is there");
        found.insert(state.name, values.into_iter().map(|v| v.f64()).collect());
    }
    found
}

/// How far two results are apart, as a share of the largest value of each tensor.
fn apart(found: &Values, expected: &Values) -> f64 {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    let mut most = 0.0f64;
    for (name, expected) in expected {
        let scale = expected.iter().fold(1e-3f64, |most, v| most.max(v.abs()));
        for (a, b) in found[name].iter().zip(expected) {
            let error = (a - b).abs() / scale;
            assert!(error.is_finite(), "{name}: {a} and {b}");
            most = most.max(error);
        }
    }
    most
}

/// Compares both ways to run a graph. Only a product that starts from its bias rounds otherwise.
fn compare(what: &str, graph: &Graph) {
    let joined = fuse(graph, &capabilities()).expect("an order");
    let starts_from_bias = joined.iter().any(|fusion| {
        fusion.links().len() > 1
            && fusion
                .links()
                .iter()
                .any(|link| graph.op::<Matmul>(link.node).is_some())
    });
    let double = apart(
        &run(CpuExecutor::<f64>::new(), graph),
        &run(CpuExecutor::<f64>::plain(), graph),
    );
    let single = apart(
        &run(CpuExecutor::<f32>::new(), graph),
        &run(CpuExecutor::<f32>::plain(), graph),
    );
    println!("{what}: {double:e} in f64, {single:e} in f32");
    if starts_from_bias {
        assert!(
            double <= 1e-10 && single <= 1e-3,
            "{what}: {double:e}, {single:e}"
        );
    } else {
        assert!(
            double == 0.0 && single == 0.0,
            "{what}: {double:e}, {single:e}"
        );
    }
}

#[test]
fn steps_of_every_network_are_those_of_single_nodes() {
    let size = Size {
        batch: 2,
        channels: 1,
        height: 32,
        width: 32,
    };
    let mut joined = 0;
    for (file, settings) in EXPERIMENTS {
        let sgd = "train.optim=sgd(lr = 1e-2, momentum = 0.9, weight_decay = 1e-4)";
        let settings = [settings, &[sgd]].concat();
        let network = networks::experiment(file, &settings, Some(size));
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(network.study().train.optim, SGD);
        let step = network.train(size);
        let graph = step.unwrap_or_else(|e| panic!("{file}: {e:?}")).graph;
        let fusions = fuse(&graph, &capabilities()).expect("an order");
        joined += fusions.iter().filter(|f| f.links().len() > 1).count();
        compare(file, &graph);
    }
    assert!(joined > 100, "{joined}");
}

/// A graph in the making: feature maps, and parameters that all of them share.
struct Made {
    graph: Graph,
    maps: Vec<NodeId>,
}

impl Made {
    fn map() -> TensorType {
        TensorType::image([2, 4, 3, 3])
    }

    fn state(&mut self, name: &str, ty: TensorType, kind: ParameterKind) -> NodeId {
        if let Some(known) = self.graph.find(name) {
            return known;
        }
        let op = Parameter {
            ty,
            kind,
            init: Init::Constant { value: 0.0 },
            weight: None,
        };
        self.graph.add(op, &[], name).expect("a leaf")
    }

    fn trained(&mut self, name: &str, ty: TensorType) -> NodeId {
        self.state(name, ty, ParameterKind::Trained)
    }

    fn add(&mut self, op: impl Op, inputs: &[NodeId]) -> NodeId {
        let name = op.name();
        self.graph.add(op, inputs, name).expect("types that fit")
    }

    fn batch_norm(&mut self, x: NodeId) -> NodeId {
        let vector = TensorType::plain([4]);
        let stats = self.add(BatchStats, &[x]);
        let mean = self.state(
            "norm.running_mean",
            vector.clone(),
            ParameterKind::Statistic,
        );
        if self.graph.effects().is_empty() {
            let op = RunningAverage {
                momentum: 0.1,
                row: 0,
                factor: 1.0,
            };
            let next = self.add(op, &[mean, stats]);
            self.graph.add_effect(next);
        }
        let gamma = self.trained("norm.weight", vector.clone());
        let beta = self.trained("norm.bias", vector);
        let op = BatchNorm {
            eps: 1e-1,
            training: true,
        };
        self.add(op, &[x, stats, gamma, beta])
    }

    fn group_norm(&mut self, x: NodeId) -> NodeId {
        let vector = TensorType::plain([4]);
        let stats = self.add(GroupStats { groups: 2 }, &[x]);
        let gamma = self.trained("group.weight", vector.clone());
        let beta = self.trained("group.bias", vector);
        self.add(GroupNorm { eps: 1e-1 }, &[x, stats, gamma, beta])
    }

    /// A linear layer on the pixels, with its bias added behind a view.
    fn linear(&mut self, x: NodeId) -> NodeId {
        let weight = self.trained("linear.matrix", TensorType::plain([4, 4]));
        let bias = self.trained("linear.bias", TensorType::plain([4]));
        let to = TensorType::plain([18, 4]);
        let tokens = self.add(Reshape { to }, &[x]);
        let op = Matmul {
            transpose_a: false,
            transpose_b: true,
        };
        let product = self.add(op, &[tokens, weight]);
        let to = TensorType::plain([2, 9, 4]);
        let product = self.add(Reshape { to }, &[product]);
        let sum = self.add(Add, &[product, bias]);
        self.add(Reshape { to: Self::map() }, &[sum])
    }

    /// A product with a parameter that is seen under another shape, which its update must not change too early.
    fn positioned(&mut self, x: NodeId) -> NodeId {
        let position = self.trained("position_embeddings", TensorType::plain([2, 9, 4]));
        let view = self.add(Reshape { to: Self::map() }, &[position]);
        self.add(Mul, &[x, view])
    }

    fn grow(&mut self, (op, a, b): (u8, usize, usize)) {
        let pick = |at: usize| self.maps[at % self.maps.len()];
        let (a, b) = (pick(a), pick(b));
        let made = match op {
            0 => self.add(Relu, &[a]),
            1 => {
                let (scale, offset) = (0.5, 0.25);
                self.add(Affine { scale, offset }, &[a])
            }
            2 => self.add(Add, &[a, b]),
            3 => {
                let gate = self.add(Sigmoid, &[b]);
                self.add(Mul, &[a, gate])
            }
            4 => {
                let y = self.batch_norm(a);
                self.add(Relu, &[y])
            }
            5 => self.batch_norm(a),
            6 => {
                let y = self.group_norm(a);
                self.add(Relu, &[y])
            }
            7 => {
                let weight = self.trained("conv.weight", TensorType::kernel([4, 4, 3, 3]));
                let op = Conv2d {
                    stride: [1; 2],
                    padding: [1; 2],
                    dilation: [1; 2],
                    groups: 1,
                };
                self.add(op, &[a, weight])
            }
            8 => self.positioned(a),
            _ => self.linear(a),
        };
        self.maps.push(made);
    }
}

/// A training step of a random network, some of whose values are outputs.
fn random(picks: &[(u8, usize, usize)], outs: &[usize]) -> Graph {
    let mut graph = Graph::default();
    let x = graph
        .add(Input { ty: Made::map() }, &[], "x")
        .expect("a leaf");
    let mut made = Made {
        graph,
        maps: vec![x],
    };
    // Something to train, whatever is picked.
    made.grow((4, 0, 0));
    picks.iter().for_each(|&pick| made.grow(pick));
    let last = *made.maps.last().expect("at least one");
    let gate = made.add(Sigmoid, &[last]);
    let axes = vec![0, 1, 2, 3];
    let loss = made.add(ReduceSum { axes }, &[gate]);
    let to = TensorType::scalar();
    let loss = made.add(Reshape { to }, &[loss]);
    let Made { mut graph, maps } = made;
    graph.set_output("loss", loss);
    for (at, out) in outs.iter().enumerate() {
        graph.set_output(format!("y{at}"), maps[out % maps.len()]);
    }
    graph.prune();
    let wanted = trained(&graph);
    let gradients = differentiate(&mut graph, loss, &wanted).expect("gradients");
    add_updates(&mut graph, &SGD, &gradients).expect("updates");
    simplify(&mut graph).expect("an order");
    verify(&graph, "test").expect("a valid graph");
    graph
}

/// Replays the kernels: each must find in its slots what the last writer of that very value left.
fn replay(graph: &Graph, able: &Capabilities) {
    let fusions = fuse(graph, able).expect("an order");
    let (kernels, memory) = memory_of_kernels(graph, &fusions, Sharing::Shared, 4).expect("memory");
    let slot_of = |buffer: usize| match memory.buffers[buffer].storage {
        Storage::Slot { slot } => Some(slot),
        _ => None,
    };
    let mut owner = vec![None; memory.slots.len()];
    for (fusion, buffers) in fusions.iter().zip(&kernels) {
        let Some(buffers) = buffers else { continue };
        let node = graph.name(fusion.result());
        let slots = buffers
            .inputs
            .iter()
            .filter_map(|&at| Some((slot_of(at)?, at)));
        for (slot, buffer) in slots {
            let name = &memory.buffers[buffer].name;
            assert_eq!(
                owner[slot],
                Some(buffer),
                "`{name}` is gone when `{node}` reads it"
            );
            let taken = slot_of(buffers.output) == Some(slot);
            assert!(
                !taken || buffer == buffers.output,
                "`{node}` writes over `{name}`"
            );
        }
        if let Some(slot) = slot_of(buffers.output) {
            assert!(memory.slots[slot] >= memory.buffers[buffers.output].bytes);
            owner[slot] = Some(buffers.output);
        }
    }
    for (name, port) in &memory.outputs {
        if let Some(slot) = slot_of(port.buffer) {
            assert_eq!(
                owner[slot],
                Some(port.buffer),
                "output `{name}` was overwritten"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn random_steps_are_those_of_single_nodes(
        picks in prop::collection::vec((0u8..10, 0usize..16, 0usize..16), 1..14),
        outs in prop::collection::vec(0usize..16, 0..3),
    ) {
        let graph = random(&picks, &outs);
        replay(&graph, &capabilities());
        replay(&graph, &hqcc_compiler::plan::capabilities());
        compare("a random step", &graph);
    }
}

/// The slots that a planner gives which takes the values in order: the smallest free slot that fits, else the largest, which
/// grows.
fn grown(lifetimes: &[(u64, usize, usize)]) -> u64 {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&at| lifetimes[at].1);
    let mut slots: Vec<(u64, usize)> = Vec::new();
    for at in order {
        let (bytes, first, last) = lifetimes[at];
        let free = (0..slots.len()).filter(|&slot| slots[slot].1 < first);
        let fits = free.clone().filter(|&slot| slots[slot].0 >= bytes);
        let chosen = fits
            .min_by_key(|&slot| slots[slot].0)
            .or_else(|| free.max_by_key(|&slot| slots[slot].0));
        match chosen {
            Some(slot) => slots[slot] = (slots[slot].0.max(bytes), last),
            None => slots.push((bytes, last)),
        }
    }
    slots.iter().map(|(bytes, _)| bytes).sum()
}

#[test]
fn slots_are_never_larger_than_those_that_grow_in_order() {
    let networks = [
        ("unet.hqc", "UNet()"),
        ("unetpp.hqc", "UNetPP()"),
        ("unext.hqc", "UNeXt()"),
        ("msnet.hqc", "MSNet()"),
        ("transunet.hqc", "TransUNet()"),
    ];
    for (file, written) in networks {
        let size = Size {
            batch: 2,
            channels: 1,
            height: 256,
            width: 256,
        };
        let network = networks::model(file, written, "bce + dice", size);
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        let step = network.train(size);
        let graph = step.unwrap_or_else(|e| panic!("{file}: {e:?}")).graph;
        let fusions = fuse(&graph, &capabilities()).expect("an order");
        let (_, cpu) = memory_of_kernels(&graph, &fusions, Sharing::Shared, 4).expect("memory");
        let gpu = steps::plan(&graph).expect("a plan").memory;
        for (device, memory) in [("CPU", cpu), ("GPU", gpu)] {
            let shared = memory
                .buffers
                .iter()
                .filter(|b| matches!(b.storage, Storage::Slot { .. }));
            let lifetimes: Vec<_> = shared.map(|b| (b.bytes, b.first, b.last)).collect();
            let (found, before) = (memory.slots.iter().sum::<u64>(), grown(&lifetimes));
            println!(
                "{file} on the {device}: {found} bytes of slots, {before} if they grew in order, {} of its own",
                memory.own_bytes()
            );
            assert!(
                found <= before,
                "{file} on the {device}: {found} and {before}"
            );
        }
    }
}
