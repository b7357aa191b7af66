// reduce_sum: the sum over one run of neighbouring axes (in memory order), x seen as [outer, rows, inner].
// CPU twin: cpu::reduce_sum.
{% set entry = "reduce_sum" %}
{% set sums = 1 %}
{% set output_binding = 1 %}
@group(0) @binding(0) var<storage, read> x: array<f32>;

fn value_0(z: u32, p: u32, c: u32) -> f32 { return x[(z * {{ rows }}u + p) * {{ inner }}u + c]; }

{% include "shared/channel_reduce" %}
