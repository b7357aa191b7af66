// matmul: y[z, m, n] = sum over k of a[z, m, k] b[z, k, n]; either operand may lie transposed. CPU twin: cpu::matmul.
// z runs over the batch; an operand without one is shared by all (its batch pitch is 0).
{% set a_pitch = g.m if p.transpose_a else g.k %}
{% set b_pitch = g.k if p.transpose_b else g.n %}
{% set a_vec = a_pitch % 4 == 0 %}
{% set b_vec = b_pitch % 4 == 0 %}
{% set n_vec = g.n % 4 == 0 %}
@group(0) @binding(0) var<storage, read> a: array<{{ "vec4<f32>" if a_vec else "f32" }}>;
@group(0) @binding(1) var<storage, read> b: array<{{ "vec4<f32>" if b_vec else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ "vec4<f32>" if n_vec else "f32" }}>;

{% macro operand(name, load, outer, pitch, batch, along_k, vec) %}
{% set at = ("m * " ~ pitch ~ "u + k") if along_k else ("k * " ~ pitch ~ "u + m") %}
{% if vec %}
fn {{ load }}(z: u32, m: u32, k: u32) -> vec4<f32> {
    if m >= {{ outer }}u || k >= {{ g.k }}u { return vec4<f32>(); }
    return {{ name }}[(z * {{ batch }}u + {{ at }}) / 4u];
}
{% else %}
fn {{ name }}_element(z: u32, m: u32, k: u32) -> f32 {
    if m >= {{ outer }}u || k >= {{ g.k }}u { return 0.0; }
    return {{ name }}[z * {{ batch }}u + {{ at }}];
}
fn {{ load }}(z: u32, m: u32, k: u32) -> vec4<f32> {
{% if along_k %}
    return vec4<f32>({{ name }}_element(z, m, k), {{ name }}_element(z, m, k + 1u), {{ name }}_element(z, m, k + 2u), {{ name }}_element(z, m, k + 3u));
{% else %}
    return vec4<f32>({{ name }}_element(z, m, k), {{ name }}_element(z, m + 1u, k), {{ name }}_element(z, m + 2u, k), {{ name }}_element(z, m + 3u, k));
{% endif %}
}
{% endif %}
{% endmacro %}
{{ operand("a", "load_a", g.m, a_pitch, p.a_batch, g.a_along_k, a_vec) }}
{{ operand("b", "load_b", g.n, b_pitch, p.b_batch, g.b_along_k, b_vec) }}
fn store_c(z: u32, split: u32, m: u32, n: u32, v: vec4<f32>) {
    let at = ((z * {{ g.splits }}u + split) * {{ g.m }}u + m) * {{ g.n }}u + n;
{% if n_vec %}
    if n < {{ g.n }}u { y[at / 4u] = v; }
{% else %}
{% for j in range(4) %}
    if n + {{ j }}u < {{ g.n }}u { y[at + {{ j }}u] = v[{{ j }}]; }
{% endfor %}
{% endif %}
}

{% include "shared/gemm" %}
