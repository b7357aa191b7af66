//! Every op on shapes that reach each path of its kernel.

use hqcc_compiler::graph::ParameterKind;
use hqcc_compiler::ops::*;
use hqcc_compiler::tensor_type::TensorType;

use crate::common::Case;

fn image(n: usize, c: usize, h: usize, w: usize) -> TensorType {
    TensorType::image([n, c, h, w])
}

fn conv(stride: usize, padding: usize, dilation: usize, groups: usize) -> Conv2d {
    Conv2d {
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [dilation; 2],
        groups,
    }
}

/// Batch, channels in and out, rows, columns, kernel, stride, padding, dilation, groups, bias.
const CONVOLUTIONS: [([usize; 10], bool); 12] = [
    ([2, 1, 8, 9, 7, 3, 1, 1, 1, 1], false),
    ([1, 8, 1, 6, 6, 3, 1, 1, 1, 1], true),
    ([2, 4, 4, 5, 5, 1, 1, 0, 1, 1], true),
    ([1, 3, 5, 7, 6, 3, 2, 1, 1, 1], true),
    ([2, 16, 20, 8, 8, 3, 1, 1, 1, 1], false),
    ([1, 64, 64, 12, 12, 3, 1, 1, 1, 1], false),
    ([1, 8, 140, 9, 9, 3, 1, 1, 1, 1], false),
    ([1, 4, 8, 9, 9, 3, 1, 2, 2, 1], false),
    ([2, 8, 12, 6, 6, 3, 1, 1, 1, 4], true),
    ([1, 6, 6, 7, 7, 3, 1, 1, 1, 6], false),
    ([1, 4, 4, 9, 9, 7, 2, 3, 1, 1], false),
    ([1, 4, 4, 8, 8, 2, 2, 0, 1, 1], false),
];

#[test]
fn conv2d() {
    for (at, &([n, ci, co, h, w, k, s, p, d, groups], bias)) in CONVOLUTIONS.iter().enumerate() {
        let mut case = Case::new(at as u64);
        let mut inputs = vec![
            case.input(image(n, ci, h, w)),
            case.input(TensorType::kernel([co, ci / groups, k, k])),
        ];
        if bias {
            inputs.push(case.input(TensorType::plain([co])));
        }
        let y = case.add(conv(s, p, d, groups), &inputs);
        case.output("y", y);
        case.agree(&format!("conv2d {at}"), 1e-5);
    }
}

#[test]
fn conv2d_gradients() {
    for (at, &([n, ci, co, h, w, k, s, p, d, groups], _)) in CONVOLUTIONS.iter().enumerate() {
        let op = conv(s, p, d, groups);
        let mut case = Case::new(100 + at as u64);
        let x = case.input(image(n, ci, h, w));
        let weight = case.input(TensorType::kernel([co, ci / groups, k, k]));
        let [oh, ow] = op.output_size([h, w], [k, k]).unwrap();
        let dy = case.input(image(n, co, oh, ow));
        let dx = case.add(
            ConvTranspose2d {
                conv: op.clone(),
                output: [h, w],
            },
            &[dy, weight],
        );
        let dw = case.add(
            Conv2dGradWeight {
                conv: op,
                kernel: [k, k],
            },
            &[x, dy],
        );
        case.output("dx", dx);
        case.output("dw", dw);
        case.agree(&format!("conv2d gradients {at}"), 1e-5);
    }
}

#[test]
fn a_weight_gradient_over_many_pixels_is_split() {
    let mut case = Case::new(7);
    let x = case.input(image(2, 4, 64, 64));
    let dy = case.input(image(2, 8, 64, 64));
    let dw = case.add(
        Conv2dGradWeight {
            conv: conv(1, 1, 1, 1),
            kernel: [3, 3],
        },
        &[x, dy],
    );
    case.output("dw", dw);
    case.agree("split", 1e-5);
}

#[test]
fn conv_transpose2d() {
    for (at, &(n, ci, co, h, k, s, p, bias)) in [
        (2, 8, 4, 5, 2, 2, 0, true),
        (1, 3, 5, 4, 2, 2, 0, true),
        (1, 4, 8, 5, 3, 2, 1, true),
        (1, 20, 68, 6, 2, 2, 0, false),
    ]
    .iter()
    .enumerate()
    {
        let mut case = Case::new(200 + at as u64);
        let mut inputs = vec![
            case.input(image(n, ci, h, h)),
            case.input(TensorType::kernel([ci, co, k, k])),
        ];
        if bias {
            inputs.push(case.input(TensorType::plain([co])));
        }
        let size = (h - 1) * s + k - 2 * p;
        let y = case.add(
            ConvTranspose2d {
                conv: conv(s, p, 1, 1),
                output: [size; 2],
            },
            &inputs,
        );
        case.output("y", y);
        case.agree(&format!("conv_transpose2d {at}"), 1e-5);
    }
}

#[test]
fn matmul() {
    for (at, &(batch, m, k, n)) in [
        (1, 5, 7, 3),
        (1, 64, 48, 68),
        (3, 8, 12, 16),
        (1, 130, 9, 140),
        (1, 8, 4000, 12),
    ]
    .iter()
    .enumerate()
    {
        for (transpose_a, transpose_b) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let mut case = Case::new(300 + at as u64);
            let side = |a, b, swap: bool| {
                let [a, b] = if swap { [b, a] } else { [a, b] };
                TensorType::plain(if batch == 1 {
                    vec![a, b]
                } else {
                    vec![batch, a, b]
                })
            };
            let a = case.input(side(m, k, transpose_a));
            let b = case.input(side(k, n, transpose_b));
            let y = case.add(
                Matmul {
                    transpose_a,
                    transpose_b,
                },
                &[a, b],
            );
            case.output("y", y);
            case.agree(&format!("matmul {at} {transpose_a} {transpose_b}"), 1e-5);
        }
    }
}

#[test]
fn element_wise() {
    // With and without a channel count that vectors fit.
    for c in [4, 3] {
        let ty = image(2, c, 5, 3);
        let mut case = Case::new(400 + c as u64);
        let [a, b] = [case.input(ty.clone()), case.input(ty.clone())];
        let channel = case.input(image(1, c, 1, 1));
        let scalar = case.input(TensorType::scalar());
        let sample = case.input(image(2, 1, 1, 1));
        let mut nodes = vec![
            case.add(Add, &[a, b]),
            case.add(Sub, &[a, channel]),
            case.add(Mul, &[scalar, a]),
        ];
        nodes.push(case.add(Div, &[a, scalar]));
        nodes.push(case.add(
            Affine {
                scale: 1.5,
                offset: -0.25,
            },
            &[a],
        ));
        nodes.push(case.add(Relu, &[a]));
        nodes.push(case.add(ReluGrad, &[a, b]));
        nodes.push(case.add(Sigmoid, &[a]));
        nodes.push(case.add(Exp, &[b]));
        nodes.push(case.add(Threshold { limit: 0.1 }, &[a]));
        nodes.push(case.add(Expand { to: ty }, &[sample]));
        let wide = case.add(
            Affine {
                scale: 40.0,
                offset: 0.0,
            },
            &[a],
        );
        nodes.push(case.add(Sigmoid, &[wide]));
        let target = case.add(Threshold { limit: 0.0 }, &[b]);
        nodes.push(case.add(BceWithLogits, &[a, target]));
        let loss = case.add(BceWithLogits, &[wide, target]);
        nodes.push(loss);
        for (at, node) in nodes.into_iter().enumerate() {
            case.output(&format!("y{at}"), node);
        }
        case.agree(&format!("element-wise, {c} channels"), 2e-6);
    }
}

#[test]
fn batch_norm() {
    for (n, c, h, w, large) in [
        (2, 8, 5, 4, false),
        (1, 3, 7, 5, false),
        (3, 70, 3, 3, false),
        (2, 4, 96, 96, true),
    ] {
        for training in [true, false] {
            let mut case = Case::new(500 + c as u64);
            let ty = image(n, c, h, w);
            let x = case.input(ty.clone());
            // A large offset shows whether the variance loses digits.
            let x = case.add(
                Affine {
                    scale: 1.0,
                    offset: if large { 30.0 } else { 0.5 },
                },
                &[x],
            );
            let dy = case.input(ty);
            let [gamma, beta] = [
                case.input(TensorType::plain([c])),
                case.input(TensorType::plain([c])),
            ];
            let stats = case.add(BatchStats, &[x]);
            let y = case.add(
                BatchNorm {
                    eps: 1e-5,
                    training,
                },
                &[x, stats, gamma, beta],
            );
            let relu = case.add(Relu, &[y]);
            let sums = case.add(BatchNormSums { eps: 1e-5 }, &[x, dy, stats]);
            let dx = case.add(
                BatchNormGradInput {
                    eps: 1e-5,
                    training,
                },
                &[x, dy, stats, gamma, sums],
            );
            let row = case.add(TakeRow { row: 1 }, &[sums]);
            let stacked = case.add(StackRows, &[gamma, row]);
            for (name, node) in [
                ("stats", stats),
                ("y", relu),
                ("sums", sums),
                ("dx", dx),
                ("stacked", stacked),
            ] {
                case.output(name, node);
            }
            case.agree(&format!("batch_norm {c} {training}"), 2e-5);
        }
    }
}

#[test]
fn reductions() {
    for axes in [
        vec![0],
        vec![1],
        vec![0, 2, 3],
        vec![1, 2, 3],
        vec![0, 1, 2, 3],
        vec![0, 1],
        vec![3],
    ] {
        for (n, c, h, w) in [(3, 4, 5, 6), (2, 1, 40, 70)] {
            let mut case = Case::new(600 + axes.len() as u64);
            let x = case.input(image(n, c, h, w));
            let y = case.add(ReduceSum { axes: axes.clone() }, &[x]);
            case.output("y", y);
            let z = case.input(TensorType::plain([n, c, h, w]));
            let z = case.add(ReduceSum { axes: axes.clone() }, &[z]);
            case.output("z", z);
            if c == 4 {
                let s = case.add(ChannelSum, &[x]);
                case.output("s", s);
            }
            case.agree(&format!("reduce_sum {axes:?}"), 1e-5);
        }
    }
}

#[test]
fn pooling() {
    for (k, s, p, h, w) in [
        (2, 2, 0, 6, 8),
        (2, 2, 0, 7, 5),
        (3, 2, 1, 9, 8),
        (3, 2, 0, 8, 9),
        (3, 1, 1, 5, 5),
    ] {
        let mut case = Case::new(700 + k as u64);
        let ty = image(2, 3, h, w);
        let x = case.input(ty);
        // Coarse values, so that maxima tie.
        let coarse = case.add(Threshold { limit: 0.0 }, &[x]);
        for (name, source) in [("x", x), ("tied", coarse)] {
            let pool = MaxPool2d {
                kernel: [k; 2],
                stride: [s; 2],
                padding: [p; 2],
            };
            let y = case.add(pool.clone(), &[source]);
            let ty = case.graph.ty(y).clone();
            let dy = case.input(ty);
            let dx = case.add(MaxPool2dGrad { pool }, &[source, dy]);
            case.output(&format!("y {name}"), y);
            case.output(&format!("dx {name}"), dx);
        }
        case.agree(&format!("max_pool2d {k} {s} {p}"), 1e-6);
    }
}

#[test]
fn resampling() {
    for mode in [
        ResizeMode::Nearest,
        ResizeMode::Bilinear,
        ResizeMode::BilinearCorners,
    ] {
        for (h, w, oh, ow) in [
            (4, 5, 8, 10),
            (3, 3, 3, 3),
            (7, 6, 3, 2),
            (1, 2, 4, 1),
            (5, 4, 13, 9),
        ] {
            let mut case = Case::new(800 + h as u64);
            let x = case.input(image(2, 3, h, w));
            let y = case.add(
                Resize2d {
                    size: [oh, ow],
                    mode,
                },
                &[x],
            );
            let dy = case.input(image(2, 3, oh, ow));
            let dx = case.add(Resize2dGrad { size: [h, w], mode }, &[dy]);
            case.output("y", y);
            case.output("dx", dx);
            case.agree(&format!("resize2d {mode:?} {h}x{w} {oh}x{ow}"), 2e-6);
        }
    }
}

#[test]
fn moving_bytes() {
    let mut case = Case::new(900);
    let maps: Vec<_> = [3, 4, 1, 2, 5, 1, 1, 6, 2]
        .into_iter()
        .map(|c| case.input(image(2, c, 3, 4)))
        .collect();
    let two = case.add(Concat, &maps[..2]);
    let nine = case.add(Concat, &maps);
    let part = case.add(
        Slice {
            start: 2,
            channels: 4,
        },
        &[nine],
    );
    let padded = case.add(
        Pad2d {
            rows: [1, 2],
            columns: [0, 3],
        },
        &[two],
    );
    let cut = case.add(
        Crop2d {
            rows: [1, 1],
            columns: [2, 0],
        },
        &[padded],
    );
    let tokens = case.add(
        Reshape {
            to: TensorType::plain([2, 12, 3]),
        },
        &[maps[0]],
    );
    for (name, node) in [
        ("two", two),
        ("nine", nine),
        ("part", part),
        ("padded", padded),
        ("cut", cut),
        ("tokens", tokens),
    ] {
        case.output(name, node);
    }
    case.agree("moving bytes", 0.0);
}

#[test]
fn cross_entropy() {
    let mut case = Case::new(1000);
    let x = case.input(image(2, 5, 4, 3));
    let x = case.add(
        Affine {
            scale: 20.0,
            offset: 0.0,
        },
        &[x],
    );
    let mut class = 0;
    let target = hqcc::Tensor::from_fn([2, 1, 4, 3], |_| {
        class = (class + 3) % 5;
        class as f32
    });
    let t = case.input_of(image(2, 1, 4, 3), target);
    let dy = case.input(image(2, 1, 4, 3));
    let y = case.add(CrossEntropy, &[x, t]);
    let dx = case.add(CrossEntropyGrad, &[x, t, dy]);
    let best = case.add(Argmax, &[x]);
    for (name, node) in [("y", y), ("dx", dx), ("best", best)] {
        case.output(name, node);
    }
    case.agree("cross_entropy", 2e-6);
}

#[test]
fn updates_in_place() {
    for (decoupled, weight_decay) in [(false, 5e-4), (true, 1e-2), (false, 0.0)] {
        let mut case = Case::new(1100);
        let ty = TensorType::kernel([6, 3, 3, 3]);
        let w = case.parameter("w", ty.clone(), 1.0);
        let m = case.parameter("m", ty.clone(), 0.1);
        let v = {
            let value = hqcc::Tensor::from_fn(ty.shape.clone(), |at| 1e-3 * (at % 7) as f32);
            case.state("v", ty.clone(), ParameterKind::Moment, value)
        };
        let g = case.input(ty.clone());
        let schedule = hqcc::Tensor::new([3], vec![1e-2, 2.0, 1.5]).unwrap();
        let schedule = case.input_of(TensorType::plain([3]), schedule);
        let adam = Adam {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay,
            decoupled,
        };
        let next = case.add(adam, &[w, m, v, g, schedule]);
        case.graph.add_effect(next);
        let p = case.parameter("p", ty.clone(), 1.0);
        let q = case.parameter("q", ty, 0.1);
        let sgd = Sgd {
            momentum: 0.9,
            weight_decay,
            nesterov: decoupled,
        };
        let next = case.add(sgd, &[p, q, g, schedule]);
        case.graph.add_effect(next);
        let mean = case.parameter("mean", TensorType::plain([6]), 1.0);
        let stats = case.input(TensorType::plain([2, 6]));
        let next = case.add(
            RunningAverage {
                momentum: 0.1,
                row: 1,
                factor: 1.25,
            },
            &[mean, stats],
        );
        case.graph.add_effect(next);
        case.agree("updates", 1e-6);
    }
}
