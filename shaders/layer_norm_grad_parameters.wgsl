// layer_norm_grad_parameters: y[0, c] = sum of dy, y[1, c] = sum of dy (x - mean) / sqrt(variance + eps), over the rows.
// CPU twin: cpu::layer_norm_grad_parameters. stats is what shared/row_stats gives.
{% set entry = "layer_norm_grad_parameters" %}
{% set sums = 2 %}
{% set output_binding = 3 %}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;

fn value_0(z: u32, p: u32, c: u32) -> f32 { return dy[p * {{ inner }}u + c]; }
fn value_1(z: u32, p: u32, c: u32) -> f32 {
    let at = p * {{ inner }}u + c;
    return dy[at] * (x[at] - stats[p]) * stats[{{ rows }}u + p];
}

{% include "shared/channel_reduce" %}
