//! Generated weights through graphs: rewritten, differentiated, run by the executors.

use crate::{golden, layer};
use hqcc::cpu::CpuExecutor;
use hqcc::cpu::circuit::{Circuits, Order, Readout};
use hqcc::executor::{Executor, ExecutorError};
use hqcc::gpu::{DeviceChoice, GpuExecutor, select};
use hqcc::tensor::Tensor;
use hqcc_compiler::graph::{Graph, Init, Input, NodeId, Parameter, ParameterKind, WeightKind};
use hqcc_compiler::ops::{Mul, ReduceSum};
use hqcc_compiler::passes::rewrite::Rule;
use hqcc_compiler::passes::{autodiff, readout, rewrite, simplify};
use hqcc_compiler::program::Entry;
use hqcc_compiler::quantum::ansatz::{Ansatz, QubitPattern, qubits_for};
use hqcc_compiler::setting::SettingValue;
use hqcc_compiler::tensor_type::TensorType;
use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

pub type Values = BTreeMap<String, Vec<f64>>;

/// What becomes of a readout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Post {
    Rce,
    Sst,
    Lpp,
}

/// The side that circuits belong to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Auto,
    Output,
}

/// How far one set of `lpp` parameters reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Share {
    GateLayer,
    Circuit,
}

/// The settings of a generation.
#[derive(Clone, Debug)]
struct Qpg {
    blocks: usize,
    post: Post,
    target: Target,
    share: Share,
    ansatz: Ansatz,
}

impl Qpg {
    /// The rule that asks for it on `layer`.
    fn rule(&self, adapt: bool) -> Rule {
        let word =
            |value: &dyn std::fmt::Debug| SettingValue::Word(format!("{value:?}").to_lowercase());
        let mut rule = Rule::new("layer", if adapt { "qpga" } else { "qpg" })
            .expect("the methods of the paper")
            .with("blocks", SettingValue::Int(self.blocks as i64))
            .with("post", word(&self.post))
            .with("circuit", SettingValue::Circuit(self.ansatz.clone()));
        if self.target == Target::Output {
            rule = rule.with("target", word(&self.target));
        }
        if self.post == Post::Lpp {
            let share = match self.share {
                Share::GateLayer => "layer",
                Share::Circuit => "none",
            };
            rule = rule.with("share", SettingValue::Word(share.to_owned()));
        }
        rule
    }
}

/// How close an executor comes.
#[derive(Clone, Copy)]
pub struct Tolerance {
    pub weights: f64,
    pub gradients: f64,
}

const DOUBLE: Tolerance = Tolerance {
    weights: 1e-12,
    gradients: 1e-12,
};
const SINGLE: Tolerance = Tolerance {
    weights: 1e-6,
    gradients: 5e-6,
};

/// Runs one step of a graph on given state and inputs.
pub type Run<'a> = &'a mut dyn FnMut(Graph, &Values) -> Values;

fn in_f64(graph: Graph, given: &Values) -> Values {
    let entry = Entry { graph };
    let mut executor = CpuExecutor::<f64>::new();
    executor.load("step", &entry).expect("load");
    for state in entry.state() {
        executor
            .write_values(&state.name, &given[&state.name])
            .expect("state");
    }
    let inputs = entry.inputs();
    let inputs: Vec<(&str, &[f64])> = inputs
        .iter()
        .map(|(name, _)| (name.as_str(), given[name].as_slice()))
        .collect();
    executor.step("step", &inputs).expect("step")
}

fn in_f32(executor: &mut dyn Executor, graph: Graph, given: &Values) -> Values {
    let tensor = |name: &str, ty: &TensorType| {
        let data = given[name].iter().map(|&x| x as f32).collect();
        Tensor::new(ty.shape.clone(), data).expect("as many values as the shape says")
    };
    let entry = Entry { graph };
    let mut run = || -> Result<Values, ExecutorError> {
        executor.load("step", &entry)?;
        for state in entry.state() {
            executor.write(&state.name, &tensor(&state.name, &state.ty))?;
        }
        let inputs: Vec<(String, Tensor)> = entry
            .inputs()
            .into_iter()
            .map(|(name, ty)| (name.clone(), tensor(&name, &ty)))
            .collect();
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
        let outputs = executor.run("step", &inputs)?;
        let wide = |t: Tensor| t.data().iter().map(|&x| f64::from(x)).collect();
        Ok(outputs
            .into_iter()
            .map(|(name, t)| (name, wide(t)))
            .collect())
    };
    run().expect("step")
}

/// Runs a check on every executor there is.
pub fn everywhere(check: impl Fn(Run<'_>, Tolerance)) {
    check(&mut in_f64, DOUBLE);
    check(
        &mut |graph, given| in_f32(&mut CpuExecutor::<f32>::new(), graph, given),
        SINGLE,
    );
    if gpu().is_some() {
        check(
            &mut |graph, given| in_f32(&mut gpu().expect("was there"), graph, given),
            SINGLE,
        );
    }
}

/// An executor on any adapter, or `None` with a note when there is none.
fn gpu() -> Option<GpuExecutor> {
    match select(&DeviceChoice::Gpu) {
        Ok(device) => device.map(GpuExecutor::new),
        Err(error) => {
            assert!(
                std::env::var_os("HQCC_REQUIRE_GPU").is_none_or(|v| v != "1"),
                "{error}"
            );
            hqcc_tests::skip(error);
            None
        }
    }
}

/// A layer whose weight is given by `qpg`: its weight, the loss `sum cotangent * weight` and the gradients of what
/// is trained, as `grad <name>`.
fn graph(kind: WeightKind, shape: &[usize], qpg: &Qpg, adapt: bool, fold: bool) -> Graph {
    let mut graph = Graph::default();
    let ty = match <[usize; 4]>::try_from(shape) {
        Ok(shape) => TensorType::kernel(shape),
        Err(_) => TensorType::plain(shape),
    };
    let parameter = Parameter {
        ty: ty.clone(),
        kind: ParameterKind::Trained,
        init: Init::Constant { value: 0.0 },
        weight: Some(kind),
    };
    graph.set_layer("layer");
    let weight = graph.add(parameter, &[], "layer.weight").expect("weight");
    // Any reader of the weight will do.
    let reader = graph.add(Mul, &[weight, weight], "reader").expect("reader");
    graph.set_output("reader", reader);
    let rule = qpg.rule(adapt);
    rewrite::apply(&mut graph, &[rule]).expect("rewrite");
    let name = if adapt { "adapted" } else { "generated" };
    let weight = graph
        .find(&format!("layer.weight.{name}"))
        .expect("the new weight");
    let loss = weighted_sum(&mut graph, weight, &ty);
    graph.set_output("weight", weight);
    graph.set_output("loss", loss);
    graph.retain_outputs(|name| name != "reader");
    graph.prune();
    if fold {
        readout::absorb(&mut graph).expect("absorb");
    }
    let loss = graph.outputs()["loss"];
    let wanted = autodiff::trained(&graph);
    for (parameter, gradient) in autodiff::differentiate(&mut graph, loss, &wanted).expect("grad") {
        let name = format!("grad {}", graph.name(parameter));
        graph.set_output(name, gradient);
    }
    simplify::simplify(&mut graph).expect("an order");
    graph
}

pub fn weighted_sum(graph: &mut Graph, weight: NodeId, ty: &TensorType) -> NodeId {
    let input = Input { ty: ty.clone() };
    let cotangent = graph.add(input, &[], "cotangent").expect("cotangent");
    let product = graph
        .add(Mul, &[cotangent, weight], "product")
        .expect("product");
    let axes = (0..ty.rank()).collect();
    graph
        .add(ReduceSum { axes }, &[product], "sum")
        .expect("sum")
}

fn qpg(post: Post, blocks: usize, target: Target, share: Share) -> Qpg {
    Qpg {
        blocks,
        post,
        target,
        share,
        ansatz: Ansatz::hqc_tf(),
    }
}

#[track_caller]
pub fn near(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let gap = (got - want).abs();
        assert!(
            gap <= tolerance,
            "{what}[{i}]: {got} for {want}, off by {gap:.1e}"
        );
    }
}

#[track_caller]
pub fn near_gradient(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    let largest = want.iter().fold(5e-2f64, |m, x| m.max(x.abs()));
    near(what, got, want, tolerance * largest);
}

fn check_conv(
    run: Run<'_>,
    tolerance: Tolerance,
    case: &golden::ConvCase,
    adapt: bool,
    fold: bool,
) {
    assert_eq!(case.target == "c_in", case.c_in <= case.c_out);
    let shape = [case.c_out, case.c_in, case.kh, case.kw];
    let results = [
        (Post::Rce, Share::GateLayer, Some(&case.rce)),
        (Post::Sst, Share::GateLayer, Some(&case.sst)),
        (Post::Lpp, Share::GateLayer, Some(&case.lpp)),
        (Post::Lpp, Share::Circuit, case.lpp_per_circuit.as_ref()),
    ];
    for (post, share, result) in results {
        let Some(result) = result else { continue };
        let what = format!("{} {post:?} {share:?}", case.name);
        let qpg = qpg(post, case.blocks, Target::Auto, share);
        let mut given = Values::from([
            ("layer.weight.theta".to_owned(), case.theta.clone()),
            ("layer.weight".to_owned(), case.base.clone()),
            ("cotangent".to_owned(), case.cotangent.clone()),
        ]);
        let bias = result.b.as_ref().map(golden::flat);
        for (name, values) in [("weight", &result.w), ("bias", &bias)] {
            if let Some(values) = values {
                given.insert(format!("layer.weight.lpp.{name}"), values.clone());
            }
        }
        let got = run(graph(WeightKind::Conv, &shape, &qpg, adapt, fold), &given);
        let want = if adapt {
            &result.adapted
        } else {
            &result.weight
        };
        near(&what, &got["weight"], want, 4.0 * tolerance.weights);
        if !adapt {
            near_gradient(
                &what,
                &got["loss"],
                &[result.loss],
                4.0 * tolerance.gradients,
            );
        }
        let theta = &got["grad layer.weight.theta"];
        near_gradient(&what, theta, &result.grad_theta, tolerance.gradients);
        assert!(
            !got.contains_key("grad layer.weight"),
            "{what}: the base is frozen"
        );
        let bias = result.grad_b.as_ref().map(golden::flat);
        for (name, want) in [("weight", &result.grad_w), ("bias", &bias)] {
            if let Some(want) = want {
                let got = &got[&format!("grad layer.weight.lpp.{name}")];
                near_gradient(&what, got, want, tolerance.gradients);
            }
        }
    }
}

#[test]
fn golden_convs() {
    everywhere(|run, tolerance| {
        for case in golden::convs() {
            for (adapt, fold) in [(false, true), (true, true), (false, false)] {
                check_conv(run, tolerance, &case, adapt, fold);
            }
        }
    });
}

#[test]
fn golden_circuits() {
    everywhere(|run, tolerance| {
        for case in golden::circuits() {
            // One circuit is a linear layer with one output.
            let shape = [1, 1 << case.n_qubits];
            for (post, result, read) in [
                (Post::Rce, &case.rce, &case.amp_re),
                (
                    Post::Lpp,
                    &case.lpp,
                    case.lpp.y.as_ref().unwrap_or(&case.prob),
                ),
            ] {
                let qpg = qpg(post, case.blocks, Target::Output, Share::GateLayer);
                let mut given = Values::from([
                    ("layer.weight.theta".to_owned(), case.theta()),
                    ("cotangent".to_owned(), case.v.clone()),
                ]);
                given.insert(
                    "layer.weight.lpp.weight".to_owned(),
                    result.w.clone().unwrap_or_default(),
                );
                given.insert(
                    "layer.weight.lpp.bias".to_owned(),
                    result.b.into_iter().collect(),
                );
                let got = run(graph(WeightKind::Linear, &shape, &qpg, false, true), &given);
                near(&case.name, &got["weight"], read, 4.0 * tolerance.weights);
                near_gradient(
                    &case.name,
                    &got["loss"],
                    &[result.loss],
                    4.0 * tolerance.gradients,
                );
                let theta = &got["grad layer.weight.theta"];
                near_gradient(&case.name, theta, &result.theta(), tolerance.gradients);
            }
        }
    });
}

/// A weight and its gradient against the definition, entry by entry, with states from the gate-by-gate kernel in f64.
fn check_weight(run: Run<'_>, tolerance: Tolerance, kind: WeightKind, shape: &[usize], qpg: &Qpg) {
    let transposed = kind == WeightKind::ConvTranspose;
    let (outputs, inputs) = if transposed {
        (shape[1], shape[0])
    } else {
        (shape[0], shape[1])
    };
    let positions: usize = shape[2..].iter().product();
    let by_input = qpg.target == Target::Auto && inputs <= outputs;
    let (targets, longer) = if by_input {
        (inputs, outputs)
    } else {
        (outputs, inputs)
    };
    let sst = qpg.post == Post::Sst;
    let kernel = Circuits {
        count: targets * positions,
        qubits: qubits_for(longer),
        blocks: qpg.blocks,
        ansatz: qpg.ansatz.clone(),
        readout: if sst {
            Readout::Probability
        } else {
            Readout::Real
        },
        scale: if sst { FRAC_PI_2 } else { 1.0 },
        offset: if sst { -FRAC_PI_2 / 2.0 } else { 0.0 },
        used: longer,
        order: Order::Circuits,
    };
    let theta: Vec<f64> = (0..kernel.count * kernel.angles())
        .map(|i| 3.0 * (1.3 * i as f64 + 0.1).sin())
        .collect();
    let cotangent: Vec<f64> = (0..shape.iter().product())
        .map(|i: usize| (i as f64).cos())
        .collect();
    let mut want = vec![0.0; cotangent.len()];
    let mut dy = vec![0.0; cotangent.len()];
    for target in 0..targets {
        for position in 0..positions {
            let circuit = target * positions + position;
            let angles = &theta[circuit * kernel.angles()..][..kernel.angles()];
            let state: Vec<[f64; 2]> = kernel.state(angles);
            for amplitude in 0..longer {
                let (o, i) = if by_input {
                    (amplitude, target)
                } else {
                    (target, amplitude)
                };
                let (first, second) = if transposed { (i, o) } else { (o, i) };
                let flat = (first * shape[1] + second) * positions + position;
                let [re, im] = state[amplitude];
                let read = if sst { re * re + im * im } else { re };
                want[flat] = kernel.scale * read + kernel.offset;
                dy[circuit * longer + amplitude] = cotangent[flat];
            }
        }
    }
    let mut gradient = theta.clone();
    kernel.backward(&theta, &dy, &mut gradient);
    let given = Values::from([
        ("layer.weight.theta".to_owned(), theta),
        ("cotangent".to_owned(), cotangent),
    ]);
    let what = format!("{kind:?} {shape:?} {:?} {:?}", qpg.target, qpg.post);
    let got = run(graph(kind, shape, qpg, false, true), &given);
    near(&what, &got["weight"], &want, tolerance.weights);
    let theta = &got["grad layer.weight.theta"];
    near_gradient(&what, theta, &gradient, tolerance.gradients);
}

#[test]
fn weights_lie_where_eq_8_says() {
    everywhere(|run, tolerance| {
        for (kind, shape, target) in [
            (WeightKind::Conv, &[3, 6, 2, 3][..], Target::Auto),
            (WeightKind::Conv, &[6, 3, 2, 3], Target::Auto),
            (WeightKind::Conv, &[5, 3, 1, 2], Target::Output),
            (WeightKind::Conv, &[4, 1, 2, 2], Target::Output),
            (WeightKind::ConvTranspose, &[8, 4, 2, 2], Target::Auto),
            (WeightKind::ConvTranspose, &[4, 8, 2, 2], Target::Auto),
            (WeightKind::ConvTranspose, &[4, 4, 2, 2], Target::Output),
            (WeightKind::Linear, &[7, 4], Target::Auto),
            (WeightKind::Linear, &[4, 7], Target::Auto),
        ] {
            let qpg = qpg(Post::Rce, 2, target, Share::GateLayer);
            check_weight(run, tolerance, kind, shape, &qpg);
        }
    });
}

/// Up to 11 qubits a workgroup holds the state, beyond that a buffer does.
#[test]
fn circuits_of_many_sizes() {
    everywhere(|run, tolerance| {
        for qubits in [5usize, 8, 11, 12] {
            let shape = [3, (1 << qubits) - qubits / 4];
            for (post, blocks) in [(Post::Sst, 1), (Post::Rce, 3)] {
                let qpg = qpg(post, blocks, Target::Output, Share::GateLayer);
                check_weight(run, tolerance, WeightKind::Linear, &shape, &qpg);
            }
        }
    });
}

#[test]
fn custom_circuits() {
    let ansatz = Ansatz {
        before: vec![
            layer("h", QubitPattern::All),
            layer("rz", QubitPattern::All),
        ],
        block: vec![
            layer("ry", QubitPattern::All),
            layer("cnot", QubitPattern::Chain),
            layer("rx", QubitPattern::All),
            layer("cz", QubitPattern::Ring),
            layer("y", QubitPattern::All),
        ],
        after: vec![
            layer("cnot", QubitPattern::Ring),
            layer("ry", QubitPattern::All),
        ],
    };
    everywhere(|run, tolerance| {
        for (shape, post) in [
            ([2, 5], Post::Rce),
            ([3, 30], Post::Sst),
            ([1, 2], Post::Sst),
        ] {
            let qpg = Qpg {
                ansatz: ansatz.clone(),
                ..qpg(post, 2, Target::Output, Share::GateLayer)
            };
            check_weight(run, tolerance, WeightKind::Linear, &shape, &qpg);
        }
    });
}

/// Maps behind a circuit become part of it, unless someone else reads what is between.
#[test]
fn readouts_are_absorbed() {
    let qpg = qpg(Post::Sst, 1, Target::Auto, Share::GateLayer);
    let names = |fold| -> Vec<&'static str> {
        let graph = graph(WeightKind::Conv, &[4, 2, 3, 3], &qpg, false, fold);
        graph.ids().map(|id| graph.node(id).op.name()).collect()
    };
    assert!(names(false).contains(&"weight_map"));
    let folded = names(true);
    assert!(!folded.contains(&"weight_map") && !folded.contains(&"affine"));
    assert!(folded.contains(&"circuit") && folded.contains(&"circuit_grad"));
}
