//! Generated weights through graphs: rewritten, differentiated, run by the executors.

use crate::golden;
use hqcc::cpu::CpuExecutor;
use hqcc::executor::{Executor, ExecutorError};
use hqcc::tensor::Tensor;
use hqcc_compiler::graph::{Graph, NodeId};
use hqcc_compiler::ops::{Init, Input, Mul, Parameter, ParameterKind, ReduceSum, WeightKind};
use hqcc_compiler::passes::rewrite::{Action, Post, Qpg, Rule, Share, Target};
use hqcc_compiler::passes::{autodiff, readout, simplify};
use hqcc_compiler::program::Entry;
use hqcc_compiler::quantum::ansatz::Ansatz;
use hqcc_compiler::steps;
use hqcc_compiler::tensor_type::TensorType;
use std::collections::BTreeMap;

type Values = BTreeMap<String, Vec<f64>>;

/// How close an executor comes.
#[derive(Clone, Copy)]
struct Tolerance {
    weights: f64,
    gradients: f64,
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
type Run<'a> = &'a mut dyn FnMut(Graph, &Values) -> Values;

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
fn everywhere(check: impl Fn(Run<'_>, Tolerance)) {
    check(&mut in_f64, DOUBLE);
    check(
        &mut |graph, given| in_f32(&mut CpuExecutor::<f32>::new(), graph, given),
        SINGLE,
    );
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
        quantum: false,
    };
    let weight = graph.add(parameter, &[], "layer.weight").expect("weight");
    // Any reader of the weight will do.
    let reader = graph.add(Mul, &[weight, weight], "reader").expect("reader");
    graph.set_output("reader", reader);
    let action = if adapt {
        Action::Qpga(qpg.clone())
    } else {
        Action::Qpg(qpg.clone())
    };
    let rule = Rule {
        path: "layer".to_owned(),
        action,
    };
    let mut graph = steps::rewritten(graph, &[rule]).expect("rewrite");
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
    simplify::simplify(&mut graph);
    graph
}

fn weighted_sum(graph: &mut Graph, weight: NodeId, ty: &TensorType) -> NodeId {
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
fn near(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
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
fn near_gradient(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
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
        (Post::Rce, Share::Layer, Some(&case.rce)),
        (Post::Sst, Share::Layer, Some(&case.sst)),
        (Post::Lpp, Share::Layer, Some(&case.lpp)),
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
                let qpg = qpg(post, case.blocks, Target::Output, Share::Layer);
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

/// Every kind of weight against the definition, entry by entry, with circuits that the golden convolution gives.
#[test]
fn weights_lie_where_eq_8_says() {
    let (blocks, post) = (2, Post::Rce);
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
            let transposed = kind == WeightKind::ConvTranspose;
            let (outputs, inputs) = if transposed {
                (shape[1], shape[0])
            } else {
                (shape[0], shape[1])
            };
            let positions: usize = shape[2..].iter().product();
            let by_input = target == Target::Auto && inputs <= outputs;
            let (targets, longer) = if by_input {
                (inputs, outputs)
            } else {
                (outputs, inputs)
            };
            let circuits = targets * positions;
            let qubits = hqcc_compiler::quantum::ansatz::qubits_for(longer);
            let theta: Vec<f64> = (0..circuits * blocks * 2 * qubits)
                .map(|i| 3.0 * (1.3 * i as f64 + 0.1).sin())
                .collect();
            let cotangent: Vec<f64> = (0..shape.iter().product())
                .map(|i: usize| (i as f64).cos())
                .collect();
            // Rows of amplitudes, and of the cotangent, by the gate-by-gate kernel.
            let kernel = hqcc::cpu::circuit::Circuits {
                count: circuits,
                qubits,
                blocks,
                ansatz: Ansatz::hqc_tf(),
                readout: hqcc::cpu::circuit::Readout::Real,
                scale: 1.0,
                offset: 0.0,
                used: longer,
                order: hqcc::cpu::circuit::Order::Circuits,
            };
            let mut want = vec![0.0; cotangent.len()];
            let mut dy = vec![0.0; cotangent.len()];
            for target in 0..targets {
                for position in 0..positions {
                    let circuit = target * positions + position;
                    let angles = &theta[circuit * kernel.angles()..][..kernel.angles()];
                    let state = kernel.state(angles);
                    for amplitude in 0..longer {
                        let (o, i) = if by_input {
                            (amplitude, target)
                        } else {
                            (target, amplitude)
                        };
                        let (first, second) = if transposed { (i, o) } else { (o, i) };
                        let flat = (first * shape[1] + second) * positions + position;
                        want[flat] = state[amplitude][0];
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
            let what = format!("{kind:?} {shape:?} {target:?}");
            for fold in [true, false] {
                let qpg = qpg(post, blocks, target, Share::Layer);
                let got = run(graph(kind, shape, &qpg, false, fold), &given);
                near(&what, &got["weight"], &want, tolerance.weights);
                let theta = &got["grad layer.weight.theta"];
                near_gradient(&what, theta, &gradient, tolerance.gradients);
            }
        }
    });
}

/// Maps behind a circuit become part of it, unless someone else reads what is between.
#[test]
fn readouts_are_absorbed() {
    let qpg = qpg(Post::Sst, 1, Target::Auto, Share::Layer);
    let names = |fold| -> Vec<&'static str> {
        let graph = graph(WeightKind::Conv, &[4, 2, 3, 3], &qpg, false, fold);
        graph.ids().map(|id| graph.node(id).op.name()).collect()
    };
    assert!(names(false).contains(&"weight_map"));
    let folded = names(true);
    assert!(!folded.contains(&"weight_map") && !folded.contains(&"affine"));
    assert!(folded.contains(&"circuit") && folded.contains(&"circuit_grad"));
}
