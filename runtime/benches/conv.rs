//! Speed of the convolution kernels over the shapes of a UNet: `cargo bench --bench conv -- BATCH`.
//!
//! Each column is the best of several runs in GFLOP/s of wall time, and in brackets of CPU time (Linux), which a busy machine
//! disturbs less.

use std::time::Instant;

use hqcc::cpu::conv_shape::ConvShape;
use hqcc::cpu::conv2d::{conv2d, conv2d_grad_input};
use hqcc::cpu::conv2d_grad_weight::conv2d_grad_weight;
use hqcc::cpu::{winograd, winograd_weight};

/// CPU seconds of all threads so far; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        * 1e-9
}

/// The least wall and CPU seconds that `f` takes.
fn best(mut f: impl FnMut()) -> [f64; 2] {
    f();
    (0..5).fold([f64::INFINITY; 2], |least, _| {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        f();
        let spent = [start.elapsed().as_secs_f64(), cpu_seconds() - cpu];
        [0, 1].map(|k| spent[k].min(least[k]))
    })
}

fn main() {
    let batch = std::env::args()
        .find_map(|a| a.parse().ok())
        .unwrap_or(2usize);
    println!(
        "{} threads, batch {batch}, GFLOP/s of wall time (of CPU time)",
        rayon::current_num_threads()
    );
    for (i, o, s) in [
        (1, 64, 256),
        (64, 64, 256),
        (128, 64, 256),
        (64, 128, 128),
        (128, 128, 128),
        (256, 256, 64),
        (512, 512, 32),
        (1024, 1024, 16),
    ] {
        let shape = ConvShape {
            batch,
            in_channels: i,
            in_size: [s, s],
            out_channels: o,
            out_size: [s, s],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        let x: Vec<f32> = (0..shape.in_len()).map(|k| (k % 17) as f32 - 8.0).collect();
        let w: Vec<f32> = (0..shape.weight_len())
            .map(|k| (k % 13) as f32 - 6.0)
            .collect();
        let mut y = vec![0f32; shape.out_len()];
        let mut dx = vec![0f32; shape.in_len()];
        let forward = best(|| conv2d(&shape, &x, &w, None, &mut y));
        let input = best(|| conv2d_grad_input(&shape, &y, &w, None, &mut dx));
        let mut dw = vec![0f32; shape.weight_len()];
        let weight = best(|| conv2d_grad_weight(&shape, &x, &y, &mut dw));
        let show = |name: &str, seconds: [f64; 2]| {
            let [wall, cpu] = seconds.map(|s| shape.flops() / s / 1e9);
            print!(
                "  {name} {:7.1} ms {wall:5.0} ({cpu:4.0})",
                seconds[0] * 1e3
            );
        };
        print!("{i:5}->{o:5}@{s:3}");
        show("forward", forward);
        show("grad_input", input);
        show("grad_weight", weight);
        println!();
        if winograd::suits(&shape) {
            let forward = best(|| winograd::forward(&shape, &x, &w, None, &mut y));
            let input = best(|| winograd::grad_input(&shape, &y, &w, None, &mut dx));
            let weight = best(|| winograd_weight::grad_weight(&shape, &x, &y, &mut dw));
            print!("{:>16}", "Winograd");
            show("forward", forward);
            show("grad_input", input);
            show("grad_weight", weight);
            println!();
        }
    }
}
