//! Time of a UNet training step and where it goes: `cargo bench --bench unet -- SIZE BATCH [WIDTH]`.

use std::time::Instant;

use hqcc::Tensor;
use hqcc::cpu::CpuExecutor;
use hqcc::executor::{Executor, ExecutorError};
use hqcc_compiler::graph::{Graph, Input, NodeId};
use hqcc_compiler::ops::Builder;
use hqcc_compiler::ops::LAYERS;
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::optimiser::Optimiser;
use hqcc_compiler::program::Entry;
use hqcc_compiler::setting::{SettingValue, Settings};
use hqcc_compiler::steps::{Recipe, train};
use hqcc_compiler::tensor_type::{ShapeError, TensorType};

struct Net {
    graph: Graph,
    layers: usize,
}

impl Net {
    fn layer(
        &mut self,
        name: &str,
        inputs: &[NodeId],
        settings: &[(&'static str, SettingValue)],
    ) -> Result<NodeId, ShapeError> {
        let info = LAYERS
            .iter()
            .find(|layer| layer.name == name)
            .ok_or_else(|| ShapeError::new("no such layer"))?;
        let mut all = Settings::default();
        for setting in info.settings {
            let value = match setting.default {
                None | Some("auto") => continue,
                Some("true") => SettingValue::Bool(true),
                Some("false") => SettingValue::Bool(false),
                Some(text) => match (text.parse(), text.parse()) {
                    (Ok(int), _) => SettingValue::Int(int),
                    (_, Ok(float)) => SettingValue::Float(float),
                    _ => SettingValue::Word(text.into()),
                },
            };
            all.0.insert(setting.name, value);
        }
        for (key, value) in settings {
            all.0.insert(key, value.clone());
        }
        self.layers += 1;
        let path = format!("{name}{}", self.layers);
        (info.build)(
            &mut Builder {
                graph: &mut self.graph,
                path,
                training: true,
            },
            inputs,
            &all,
        )
    }

    fn double(&mut self, mut x: NodeId, channels: i64) -> Result<NodeId, ShapeError> {
        for _ in 0..2 {
            let settings = [
                ("channels", SettingValue::Int(channels)),
                ("bias", SettingValue::Bool(false)),
            ];
            x = self.layer("conv", &[x], &settings)?;
            x = self.layer("batch_norm", &[x], &[])?;
            x = self.layer("relu", &[x], &[])?;
        }
        Ok(x)
    }
}

fn unet(batch: usize, size: usize, width: i64) -> Result<Graph, ShapeError> {
    let mut net = Net {
        graph: Graph::default(),
        layers: 0,
    };
    let ct = net.graph.add(
        Input {
            ty: TensorType::image([batch, 1, size, size]),
        },
        &[],
        "ct",
    )?;
    let mut skips = vec![net.double(ct, width)?];
    for level in 1..5 {
        let pooled = net.layer("max_pool", &[skips[level - 1]], &[])?;
        skips.push(net.double(pooled, width << level)?);
    }
    let mut x = skips[4];
    for level in (0..4).rev() {
        let up = net.layer(
            "conv_transpose",
            &[x],
            &[("channels", SettingValue::Int(width << level))],
        )?;
        let both = net.layer("concat", &[skips[level], up], &[])?;
        x = net.double(both, width << level)?;
    }
    let settings = [
        ("channels", SettingValue::Int(1)),
        ("k", SettingValue::Int(1)),
    ];
    let out = net.layer("conv", &[x], &settings)?;
    net.graph.set_output("logits", out);
    Ok(net.graph)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().filter_map(|a| a.parse::<usize>().ok());
    let (size, batch) = (numbers.next().unwrap_or(128), numbers.next().unwrap_or(2));
    let width = numbers.next().unwrap_or(64);
    let optimiser = Optimiser::Adam {
        lr: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 5e-4,
        decoupled: false,
    };
    let recipe = Recipe {
        loss: vec![(1.0, Loss::Bce), (1.0, Loss::Dice)],
        optimiser: optimiser.clone(),
    };
    let graph = train(unet(batch, size, width as i64)?, &[], &recipe)?;
    let entry = Entry { graph };
    let mut cpu = CpuExecutor::<f32>::new();
    cpu.load("train", &entry)?;
    for (index, state) in entry.state().iter().enumerate() {
        let len = state.ty.elements();
        let fan = (len / state.ty.shape[0]).max(1) as f32;
        let value = match state.init {
            hqcc_compiler::graph::Init::Constant { value } => {
                Tensor::full(state.ty.shape.clone(), value as f32)
            }
            _ => Tensor::from_fn(state.ty.shape.clone(), |k| {
                ((k as u64 + index as u64 * 977).wrapping_mul(2654435761) % 2048) as f32
                    / 1024.0
                    / fan.sqrt()
                    - 1.0 / fan.sqrt()
            }),
        };
        cpu.write(&state.name, &value)?;
    }
    println!(
        "{:?}, working memory {} MiB",
        cpu.device(),
        cpu.working_bytes() >> 20
    );
    let ct = Tensor::from_fn([batch, 1, size, size], |k| {
        ((k * 7919) % 255) as f32 / 255.0
    });
    let target = Tensor::from_fn([batch, 1, size, size], |k| {
        f32::from(u8::from(k % size > size / 2))
    });
    let step = |cpu: &mut CpuExecutor, t: u64| -> Result<(f32, f64), ExecutorError> {
        let schedule = Tensor::from_fn([3], |k| optimiser.schedule(t)[k]);
        let start = Instant::now();
        let out = cpu.run(
            "train",
            &[("ct", &ct), ("target", &target), ("schedule", &schedule)],
        )?;
        Ok((out["loss"].data()[0], start.elapsed().as_secs_f64()))
    };
    for t in 1..4 {
        let (loss, seconds) = step(&mut cpu, t)?;
        println!("step {t}: loss {loss:.5}, {seconds:.3} s");
    }
    cpu.start_profile();
    let (loss, seconds) = step(&mut cpu, 4)?;
    println!("step 4: loss {loss:.5}, {seconds:.3} s");
    for time in cpu.take_profile() {
        let s = time.time.as_secs_f64();
        println!(
            "{:9.1} ms {:5.1} % {:4}x {:7.1} GFLOP/s  {}",
            s * 1e3,
            100.0 * s / seconds,
            time.count,
            time.flops as f64 / s / 1e9,
            time.label
        );
    }
    Ok(())
}
