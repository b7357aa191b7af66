//! Every op on every executor: against PyTorch, in single against double precision, its gradient against central
//! differences, and the GPU against the CPU.

mod batch_norm;
mod case;
mod convolution;
mod element_wise;
mod golden;
mod layers;
mod maps;
mod nan;
mod norms;
mod quantum;
mod run;
mod training;

use case::{Arg, Case, Rng, entry};
use hqcc::cpu::{CpuExecutor, function};
use hqcc::executor::Executor;
use hqcc::gpu::{DeviceChoice, GpuExecutor, select};
use hqcc::random::philox4x32;
use hqcc_compiler::graph::{Constant, Input, Named, Parameter};
use hqcc_compiler::ops::{self, Dropout, OPS};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_tests::tolerance::Tolerance;
use run::{double, double_on, single};

/// Makes a random case.
type Make = fn(&mut Rng) -> Case;

/// The case lists by op.
const CASES: &[(&str, Make)] = &[
    (ops::Abs::NAME, element_wise::abs),
    (ops::AbsGrad::NAME, element_wise::abs_grad),
    (ops::Adam::NAME, training::adam),
    (ops::Add::NAME, element_wise::add),
    (ops::Affine::NAME, element_wise::affine),
    (ops::Argmax::NAME, training::argmax),
    (ops::AvgPool2d::NAME, maps::avg_pool2d),
    (ops::AvgPool2dGrad::NAME, maps::avg_pool2d_grad),
    (ops::BatchNorm::NAME, batch_norm::batch_norm),
    (
        ops::BatchNormGradInput::NAME,
        batch_norm::batch_norm_grad_input,
    ),
    (ops::BatchNormSums::NAME, batch_norm::batch_norm_sums),
    (ops::BatchStats::NAME, batch_norm::batch_stats),
    (ops::BceWithLogits::NAME, element_wise::bce_with_logits),
    (ops::ChannelSum::NAME, convolution::channel_sum),
    (ops::Circuit::NAME, quantum::circuit),
    (ops::CircuitGrad::NAME, quantum::circuit_grad),
    (ops::Concat::NAME, maps::concat),
    (ops::Conv2d::NAME, convolution::conv2d),
    (ops::Conv2dGradWeight::NAME, convolution::conv2d_grad_weight),
    (ops::ConvTranspose2d::NAME, convolution::conv_transpose2d),
    (ops::Crop2d::NAME, maps::crop2d),
    (ops::CrossEntropy::NAME, training::cross_entropy),
    (ops::CrossEntropyGrad::NAME, training::cross_entropy_grad),
    (ops::Displace::NAME, maps::displace),
    (ops::Div::NAME, element_wise::div),
    (ops::Dropout::NAME, maps::dropout),
    (ops::Exp::NAME, element_wise::exp),
    (ops::Expand::NAME, element_wise::expand),
    (ops::Gelu::NAME, element_wise::gelu),
    (ops::GeluGrad::NAME, element_wise::gelu_grad),
    (ops::GroupNorm::NAME, norms::group_norm),
    (ops::GroupNormGradInput::NAME, norms::group_norm_grad_input),
    (ops::GroupNormSums::NAME, norms::group_norm_sums),
    (ops::GroupStats::NAME, norms::group_stats),
    (ops::LayerNorm::NAME, norms::layer_norm),
    (ops::LayerNormGradInput::NAME, norms::layer_norm_grad_input),
    (
        ops::LayerNormGradParameters::NAME,
        norms::layer_norm_grad_parameters,
    ),
    (ops::Lpp::NAME, quantum::lpp),
    (ops::LppGradParameters::NAME, quantum::lpp_grad_parameters),
    (ops::LppGradProbability::NAME, quantum::lpp_grad_probability),
    (ops::Matmul::NAME, training::matmul),
    (ops::MaxPool2d::NAME, maps::max_pool2d),
    (ops::MaxPool2dGrad::NAME, maps::max_pool2d_grad),
    (ops::Mul::NAME, element_wise::mul),
    (ops::Pad2d::NAME, maps::pad2d),
    (ops::Permute::NAME, norms::permute),
    (ops::ReduceSum::NAME, maps::reduce_sum),
    (ops::Relayout::NAME, maps::relayout),
    (ops::Relu::NAME, element_wise::relu),
    (ops::ReluGrad::NAME, element_wise::relu_grad),
    (ops::Reshape::NAME, maps::reshape),
    (ops::Resize2d::NAME, maps::resize2d),
    (ops::Resize2dGrad::NAME, maps::resize2d_grad),
    (ops::RunningAverage::NAME, batch_norm::running_average),
    (ops::Sgd::NAME, training::sgd),
    (ops::Sigmoid::NAME, element_wise::sigmoid),
    (ops::Slice::NAME, maps::slice),
    (ops::Softmax::NAME, norms::softmax),
    (ops::SoftmaxGrad::NAME, norms::softmax_grad),
    (ops::StackRows::NAME, batch_norm::stack_rows),
    (ops::Standardise::NAME, norms::standardise),
    (ops::StandardiseGrad::NAME, norms::standardise_grad),
    (ops::Sub::NAME, element_wise::sub),
    (ops::TakeRow::NAME, batch_norm::take_row),
    (ops::Threshold::NAME, element_wise::threshold),
    (ops::WeightMap::NAME, quantum::weight_map),
    (ops::WeightMapGrad::NAME, quantum::weight_map_grad),
];

/// Ops that the engines fill by themselves.
const LEAVES: &[&str] = &[Constant::NAME, Input::NAME, Parameter::NAME];

/// The op that moves no bytes and so needs no kernel.
const VIEW: &str = ops::Reshape::NAME;

/// The GPU; `None`, and a line that says so, where there is no adapter. With `HQCC_REQUIRE_GPU=1` that is a failure.
fn gpu() -> Option<GpuExecutor> {
    match select(&DeviceChoice::Gpu) {
        Ok(device) => device.map(GpuExecutor::new),
        Err(error) => {
            let required = std::env::var("HQCC_REQUIRE_GPU").is_ok_and(|v| v == "1");
            assert!(!required, "{error}");
            hqcc_tests::skip(error);
            None
        }
    }
}

/// Random cases of each op.
fn cases(count: u64) -> impl Iterator<Item = Case> {
    CASES.iter().enumerate().flat_map(move |(at, (_, make))| {
        (0..count).map(move |seed| make(&mut Rng::new(seed * 1000 + at as u64)))
    })
}

#[test]
fn every_op_has_its_parts() {
    let mut missing = Vec::new();
    for info in OPS.iter().filter(|info| !LEAVES.contains(&info.name)) {
        if function::<f32>(info.name).is_none() {
            missing.push(format!("`{}` has no function on the CPU", info.name));
        }
        let shader =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../shaders/").to_owned() + info.name + ".wgsl";
        if info.name != VIEW && !std::path::Path::new(&shader).exists() {
            missing.push(format!("`{}` has no kernel", info.name));
        }
        if !CASES.iter().any(|(name, _)| *name == info.name) {
            missing.push(format!("`{}` has no cases", info.name));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    for (name, make) in CASES {
        assert_eq!(make(&mut Rng::new(1)).op.name(), *name);
    }
}

#[test]
fn single_precision_follows_double_precision() {
    for case in cases(12) {
        let (graph, _, _) = case
            .graph()
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let given = case.values();
        let want = double(&graph, &given).unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let got = single(&mut CpuExecutor::<f32>::new(), &graph, &given)
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        for (name, want) in &want {
            // Values are rounded on the way out even where they are only moved.
            let tolerance = case.tolerance;
            let want: Vec<f64> = want.iter().map(|&v| f64::from(v as f32)).collect();
            if let Some(difference) = tolerance.difference(&got[name], &want) {
                panic!("{}, {name}: {difference}", case.describe());
            }
        }
    }
}

#[test]
fn gradients_are_central_differences() {
    const H: f64 = 1e-5;
    for case in cases(8).filter(|case| !case.wrt.is_empty()) {
        let graph = case
            .gradient_graph()
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let entry = entry(graph);
        let mut executor = CpuExecutor::<f64>::new();
        executor
            .load("case", &entry)
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let mut given = case.values();
        let mut rng = Rng::new(7);
        let (_, r) = entry
            .inputs()
            .into_iter()
            .find(|(name, _)| name == "r")
            .expect("input r");
        let weights = (0..r.elements()).map(|_| rng.real(-1.0, 1.0)).collect();
        given.insert("r".into(), (r, weights));
        let exact = double_on(&mut executor, &entry, &given)
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        for &at in &case.wrt {
            let (name, len) = (case.name(at), case.args[at].values.len());
            let gradient = &exact[&format!("d{at}")];
            let scale = gradient.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
            // A few elements of each input, spread over it.
            for k in (0..len)
                .step_by(len.div_ceil(9))
                .map(|k| (k + rng.int(0, len / 9)).min(len - 1))
            {
                let mut loss = |delta: f64| {
                    let mut moved = given.clone();
                    moved.get_mut(&name).expect("the input").1[k] += delta;
                    double_on(&mut executor, &entry, &moved).expect("a step")["loss"][0]
                };
                let difference = (loss(H) - loss(-H)) / (2.0 * H);
                let error = (difference - gradient[k]).abs() / scale;
                assert!(
                    error < 1e-6,
                    "{}: d{at}[{k}] is {}, central differences give {difference}",
                    case.describe(),
                    gradient[k]
                );
            }
        }
    }
}

#[test]
fn dropout_drops_its_share_by_the_words_it_names() {
    let n = 100_003;
    let (p, stream) = (0.25, [7, 9]);
    let ones = Arg {
        ty: TensorType::plain([n]),
        values: vec![1.0; n],
    };
    let key = Arg {
        ty: TensorType::plain([4]),
        values: vec![1.0, 2.0, 3.0, 65_535.0],
    };
    let case = Case::new(Dropout { p, stream }, vec![ones, key], Tolerance::Exact);
    let (graph, _, _) = case.graph().expect("a graph");
    let y = &double(&graph, &case.values()).expect("a step")["y"];
    let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / n as f64;
    assert!((dropped - p).abs() < 0.006, "{dropped}");
    for (i, &y) in y.iter().enumerate() {
        let counter = [(i / 4) as u32, 0, stream[0], stream[1]];
        let word = philox4x32(counter, [0x0002_0001, 0xFFFF_0003])[i % 4];
        let want = if word >= 1 << 30 { 1.0 / 0.75 } else { 0.0 };
        assert_eq!(y, want, "element {i}");
    }
}

#[test]
fn a_step_gives_the_same_bits_each_time() {
    for case in cases(2) {
        let (graph, _, _) = case
            .graph()
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let run =
            || single(&mut CpuExecutor::<f32>::new(), &graph, &case.values()).expect("a step");
        let (first, second) = (run(), run());
        for (name, values) in &first {
            assert!(
                values
                    .iter()
                    .zip(&second[name])
                    .all(|(a, b)| a.to_bits() == b.to_bits()),
                "{}, {name}",
                case.describe()
            );
        }
    }
}

#[test]
fn the_gpu_follows_the_cpu() {
    let Some(mut gpu) = gpu() else {
        return;
    };
    let mut faults = Vec::new();
    for case in cases(3) {
        let (graph, _, _) = case
            .graph()
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        let given = case.values();
        let want = single(&mut CpuExecutor::<f32>::new(), &graph, &given)
            .unwrap_or_else(|e| panic!("{}: {e}", case.describe()));
        match single(&mut gpu, &graph, &given) {
            Err(error) => faults.push(format!("{}: {error}", case.describe())),
            Ok(got) => faults.extend(want.iter().filter_map(|(name, want)| {
                let difference = case.tolerance.difference(&got[name], want)?;
                Some(format!("{}, {name}: {difference}", case.describe()))
            })),
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
