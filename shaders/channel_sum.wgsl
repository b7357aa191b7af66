// channel_sum: y[c] = sum over n, h and w of x[n, h, w, c]. CPU twin: cpu::channel_sum.
{% set entry = "channel_sum" %}
{% set sums = 1 %}
{% set output_binding = 1 %}
@group(0) @binding(0) var<storage, read> x: array<f32>;

fn value_0(z: u32, p: u32, c: u32) -> f32 { return x[p * {{ inner }}u + c]; }

{% include "shared/channel_reduce" %}
