//! What is not a number shows, on every executor alike: a run that diverged must not look sound.

use hqcc::cpu::CpuExecutor;
use hqcc_compiler::graph::Op;
use hqcc_compiler::ops::{CrossEntropy, MaxPool2d, MaxPool2dGrad, Relu, ReluGrad};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};
use crate::run::{Values, double, single};
use crate::{CASES, gpu};

/// Inputs by op and position that decide instead of being computed with, of which the op leaves elements out, or that the
/// case computes by itself (the statistics of `group_norm`).
const HIDDEN: &[(&str, usize)] = &[
    ("argmax", 0),
    ("avg_pool2d", 0),
    ("crop2d", 0),
    ("dropout", 0),
    ("dropout", 1),
    ("group_norm", 1),
    ("lpp_grad_probability", 1),
    ("max_pool2d_grad", 0),
    ("relu_grad", 0),
    ("resize2d", 0),
    ("sgd", 3),
    ("slice", 0),
    ("take_row", 0),
    ("threshold", 0),
];

/// Ops in which a NaN reaches further on one executor. Convolutions combine neighbours before they are weighted (Winograd) or
/// multiply by the zeros of padding. The others multiply by a zero (a weight decay, a bit, an entry of a gate) where the other
/// executor leaves the term out.
const SPREAD: &[&str] = &[
    "adam",
    "circuit_grad",
    "conv2d",
    "conv2d_grad_weight",
    "conv_transpose2d",
    "lpp",
    "sgd",
];

/// The places of values that are no numbers.
fn places(values: &Values) -> Vec<(String, Vec<usize>)> {
    let of = |values: &Vec<f64>| {
        let places = values.iter().enumerate().filter(|(_, v)| v.is_nan());
        places.map(|(at, _)| at).collect()
    };
    values
        .iter()
        .map(|(name, values)| (name.clone(), of(values)))
        .collect()
}

#[test]
fn what_is_not_a_number_shows_on_every_executor_alike() {
    let mut gpu = gpu();
    let mut faults = Vec::new();
    for (at, (name, make)) in CASES.iter().enumerate() {
        let case = make(&mut Rng::new(5000 + at as u64));
        for input in 0..case.args.len() {
            // Not a number has a sign, and `0 / 0` on x86 has the negative one.
            for nan in [f64::NAN, -f64::NAN] {
                let mut case = case.clone();
                let values = &mut case.args[input].values;
                let place = values.len() / 2;
                values[place] = nan;
                let (graph, _, _) = case.graph().expect("a graph");
                let given = case.values();
                let context = format!("input {input} of {}, {nan:?}", case.describe());
                let wide = places(&double(&graph, &given).expect("a step"));
                // An op that overwrites an input gives that one back as it was given, besides its output.
                let shown = wide.iter().any(|(_, places)| !places.is_empty());
                if !shown && !HIDDEN.contains(&(*name, input)) {
                    faults.push(format!("{context}: it does not show"));
                }
                let narrow = single(&mut CpuExecutor::<f32>::new(), &graph, &given);
                let narrow = places(&narrow.expect("a step"));
                if narrow != wide {
                    faults.push(format!("{context}: f64 {wide:?}, f32 {narrow:?}"));
                }
                if let Some(gpu) = &mut gpu {
                    let there = places(&single(gpu, &graph, &given).expect("a step"));
                    let alike = if SPREAD.contains(name) {
                        there.iter().any(|(_, places)| !places.is_empty()) == shown
                    } else {
                        there == wide
                    };
                    if !alike {
                        faults.push(format!("{context}: CPU {wide:?}, GPU {there:?}"));
                    }
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Outputs of an op on given values, on each executor.
fn outputs(op: impl Op, args: Vec<Arg>) -> Vec<Vec<f64>> {
    let case = Case::new(op, args, Tolerance::Exact);
    let (graph, _, _) = case.graph().expect("a graph");
    let given = case.values();
    let mut all = vec![double(&graph, &given).expect("a step")];
    all.push(single(&mut CpuExecutor::<f32>::new(), &graph, &given).expect("a step"));
    if let Some(mut gpu) = gpu() {
        all.push(single(&mut gpu, &graph, &given).expect("a step"));
    }
    all.iter().map(|values| values["y"].clone()).collect()
}

/// Equal bits, and any NaN for a NaN.
fn same(got: &[f64], want: &[f64]) -> bool {
    got.len() == want.len()
        && got
            .iter()
            .zip(want)
            .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

fn check(op: impl Op, args: Vec<Arg>, want: &[f64]) {
    for got in outputs(op, args) {
        assert!(same(&got, want), "{got:?} instead of {want:?}");
    }
}

#[test]
fn the_rectifier_keeps_every_value_that_is_not_negative() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let arg = |values: [f64; 8]| Arg {
        ty: TensorType::plain([8]),
        values: values.to_vec(),
    };
    let x = arg([nan, -nan, inf, -inf, 0.0, -0.0, 1.0, -1.0]);
    let y = [nan, nan, inf, 0.0, 0.0, -0.0, 1.0, 0.0];
    check(Relu, vec![x.clone()], &y);
    let dy = arg([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let dx = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 7.0, 0.0];
    check(ReluGrad, vec![x, dy], &dx);
}

#[test]
fn a_window_with_a_nan_gives_it_and_its_gradient_goes_there() {
    let pool = MaxPool2d {
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    // Four windows: a NaN before the largest value, one behind it, nothing but minus infinity, and infinity.
    let x = Arg {
        ty: TensorType::image([1, 1, 2, 8]),
        values: vec![
            nan, 5.0, 7.0, 1.0, -inf, -inf, 1.0, 2.0, //
            1.0, 2.0, 1.0, -nan, -inf, -inf, inf, 3.0,
        ],
    };
    let dy = Arg {
        ty: TensorType::image([1, 1, 1, 4]),
        values: vec![1.0, 2.0, 3.0, 4.0],
    };
    check(pool.clone(), vec![x.clone()], &[nan, nan, -inf, inf]);
    let dx = [
        1.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, //
        0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 4.0, 0.0,
    ];
    check(MaxPool2dGrad { pool }, vec![x, dy], &dx);
}

#[test]
fn a_target_that_names_no_class_has_no_loss() {
    let x = Arg {
        ty: TensorType::image([1, 2, 1, 4]),
        values: vec![0.0; 8],
    };
    let target = Arg {
        ty: TensorType::image([1, 1, 1, 4]),
        values: vec![1.0, 2.0, -1.0, f64::NAN],
    };
    for got in outputs(CrossEntropy, vec![x, target]) {
        assert!((got[0] - 2f64.ln()).abs() < 1e-6, "{got:?}");
        assert!(got[1..].iter().all(|v| v.is_nan()), "{got:?}");
    }
}
