// group_norm_sums: y[n, 0, c] = sum of dy, y[n, 1, c] = sum of dy (x - mean) / sqrt(variance + eps), over the pixels of a sample.
// CPU twin: cpu::group_norm_sums. stats is [N, 2, {{ groups }}].
{% set entry = "group_norm_sums" %}
{% set output_binding = 3 %}
{% set sums = 2 %}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;

fn value_0(z: u32, p: u32, c: u32) -> f32 { return dy[(z * {{ rows }}u + p) * {{ inner }}u + c]; }
fn value_1(z: u32, p: u32, c: u32) -> f32 {
    let at = (z * {{ rows }}u + p) * {{ inner }}u + c;
    let g = z * {{ 2 * groups }}u + c / {{ inner // groups }}u;
    return dy[at] * (x[at] - stats[g]) / sqrt(stats[g + {{ groups }}u] + {{ eps }});
}

{% include "shared/channel_reduce" %}
