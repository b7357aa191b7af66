//! Whole training steps: a two-layer net and a small UNet, GPU against CPU.

use hqcc::Tensor;
use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc_compiler::graph::{NodeId, Parameter, ParameterKind};
use hqcc_compiler::ops::*;
use hqcc_compiler::passes::autodiff::{differentiate, trained};
use hqcc_compiler::passes::optimiser::{Optimiser, SCHEDULE, add_updates};
use hqcc_compiler::tensor_type::TensorType;

use crate::common::{Case, close, gpu};

const ADAM: Optimiser = Optimiser::Adam {
    lr: 1e-2,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weight_decay: 5e-4,
    decoupled: false,
};

fn conv(case: &mut Case, name: &str, x: NodeId, channels: usize, k: usize) -> NodeId {
    let c = case.graph.ty(x).shape[1];
    let scale = 1.0 / ((c * k * k) as f32).sqrt();
    let w = case.parameter(name, TensorType::kernel([channels, c, k, k]), scale);
    case.add(
        Conv2d {
            stride: [1; 2],
            padding: [k / 2; 2],
            dilation: [1; 2],
            groups: 1,
        },
        &[x, w],
    )
}

/// Convolution, batch normalisation and rectifier.
fn layer(case: &mut Case, name: &str, x: NodeId, channels: usize) -> NodeId {
    let y = conv(case, &format!("{name}.weight"), x, channels, 3);
    let vector = TensorType::plain([channels]);
    let gamma = case.state(
        &format!("{name}.gamma"),
        vector.clone(),
        ParameterKind::Trained,
        Tensor::full([channels], 1.0),
    );
    let beta = case.state(
        &format!("{name}.beta"),
        vector.clone(),
        ParameterKind::Trained,
        Tensor::zeros([channels]),
    );
    let mean = case.state(
        &format!("{name}.mean"),
        vector,
        ParameterKind::Statistic,
        Tensor::zeros([channels]),
    );
    let stats = case.add(BatchStats, &[y]);
    let next = case.add(
        RunningAverage {
            momentum: 0.1,
            row: 0,
            factor: 1.0,
        },
        &[mean, stats],
    );
    case.graph.add_effect(next);
    let y = case.add(
        BatchNorm {
            eps: 1e-5,
            training: true,
        },
        &[y, stats, gamma, beta],
    );
    case.add(Relu, &[y])
}

/// Mean binary cross-entropy, its gradients and Adam.
fn finish(case: &mut Case, logits: NodeId) {
    let ty = case.graph.ty(logits).clone();
    let target = Tensor::from_fn(ty.shape.clone(), |at| f32::from(u8::from(at % 7 < 3)));
    let t = case.named_input("target", ty.clone(), target);
    let loss = case.add(BceWithLogits, &[logits, t]);
    let loss = case.add(
        ReduceSum {
            axes: vec![0, 1, 2, 3],
        },
        &[loss],
    );
    let loss = case.add(
        Affine {
            scale: 1.0 / ty.elements() as f64,
            offset: 0.0,
        },
        &[loss],
    );
    let loss = case.add(
        Reshape {
            to: TensorType::scalar(),
        },
        &[loss],
    );
    case.output("loss", loss);
    let wanted = trained(&case.graph);
    let gradients = differentiate(&mut case.graph, loss, &wanted).unwrap();
    add_updates(&mut case.graph, &ADAM, &gradients).unwrap();
    let moments: Vec<_> = case
        .graph
        .ids()
        .filter(|&id| case.graph.op::<Parameter>(id).is_some())
        .collect();
    for id in moments {
        let (name, shape) = (
            case.graph.name(id).to_owned(),
            case.graph.ty(id).shape.clone(),
        );
        case.states
            .entry(name)
            .or_insert_with(|| Tensor::zeros(shape));
    }
}

pub fn two_layers() -> Case {
    let mut case = Case::new(42);
    let x = case.input(TensorType::image([2, 1, 16, 16]));
    let y = conv(&mut case, "a", x, 8, 3);
    let y = case.add(Relu, &[y]);
    let y = conv(&mut case, "b", y, 1, 1);
    finish(&mut case, y);
    case
}

/// Two levels: double, pool, double, up, concat, double, 1x1.
pub fn unet(base: usize, size: usize) -> Case {
    let mut case = Case::new(43);
    let x = case.input(TensorType::image([2, 1, size, size]));
    let a = layer(&mut case, "in.1", x, base);
    let a = layer(&mut case, "in.2", a, base);
    let pool = MaxPool2d {
        kernel: [2; 2],
        stride: [2; 2],
        padding: [0; 2],
    };
    let b = case.add(pool, &[a]);
    let b = layer(&mut case, "down.1", b, 2 * base);
    let b = layer(&mut case, "down.2", b, 2 * base);
    let w = case.parameter("up.weight", TensorType::kernel([2 * base, base, 2, 2]), 0.3);
    let bias = case.parameter("up.bias", TensorType::plain([base]), 0.1);
    let up = Conv2d {
        stride: [2; 2],
        padding: [0; 2],
        dilation: [1; 2],
        groups: 1,
    };
    let up = case.add(
        ConvTranspose2d {
            conv: up,
            output: [size; 2],
        },
        &[b, w, bias],
    );
    let c = case.add(Concat, &[a, up]);
    let c = layer(&mut case, "out.1", c, base);
    let c = layer(&mut case, "out.2", c, base);
    let y = conv(&mut case, "head", c, 1, 1);
    finish(&mut case, y);
    case
}

/// Losses of `steps` steps.
fn losses(case: &mut Case, executor: &mut dyn Executor, steps: u64) -> Vec<f32> {
    case.load(executor);
    (1..=steps)
        .map(|t| {
            let schedule = Tensor::new([3], ADAM.schedule(t).to_vec()).unwrap();
            case.inputs.insert(SCHEDULE.to_owned(), schedule);
            case.step(executor)["loss"].data()[0]
        })
        .collect()
}

#[test]
fn a_two_layer_net_trains_as_on_the_cpu() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = two_layers();
    let expected = losses(&mut case, &mut CpuExecutor::<f32>::new(), 20);
    let found = losses(&mut case, &mut gpu, 20);
    assert!(expected[19] < 0.98 * expected[0], "{expected:?}");
    for (step, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (a - b).abs() <= 1e-4 * b.abs(),
            "step {step}: {a} on the GPU, {b} on the CPU"
        );
    }
}

#[test]
fn a_small_unet_steps_as_on_the_cpu() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = unet(8, 16);
    let mut cpu = CpuExecutor::<f32>::plain();
    let expected = losses(&mut case, &mut cpu, 3);
    let found = losses(&mut case, &mut gpu, 3);
    for (step, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (a - b).abs() <= 1e-4 * b.abs(),
            "step {step}: {a} on the GPU, {b} on the CPU"
        );
    }
    for name in [
        "in.1.mean",
        "down.2.mean",
        "optim.m.down.1.weight",
        "optim.m.head",
    ] {
        if case.states.contains_key(name) {
            close(
                name,
                &gpu.read(name).unwrap(),
                &cpu.read(name).unwrap(),
                2e-3,
            );
        }
    }
}

#[test]
fn a_device_gives_the_same_bits_every_time() {
    let (Some(mut first), Some(mut second)) = (gpu(), gpu()) else {
        return;
    };
    let mut case = unet(4, 16);
    let a = losses(&mut case, &mut first, 3);
    let b = losses(&mut case, &mut second, 3);
    assert_eq!(
        a.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
        b.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    );
    assert_eq!(first.read("head").unwrap(), second.read("head").unwrap());
}
