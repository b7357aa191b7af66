// conv2d: y[n, oy, ox, o] = bias[o] + sum over (ky, kx, i) of x[n, oy sh + ky dh - ph, ox sw + kx dw - pw, i] w[ky, kx, i, o].
// CPU twin: cpu::conv2d. An implicit matrix product: m is the output pixel, k the tap and input channel, n the
// output channel, z the group. The matrix A of patches is never stored.
{% set x_vec = c.cin % 4 == 0 %}
{% set n_vec = c.cout % 4 == 0 %}
@group(0) @binding(0) var<storage, read> x: array<{{ "vec4<f32>" if x_vec else "f32" }}>;
@group(0) @binding(1) var<storage, read> w: array<{{ "vec4<f32>" if n_vec else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ "vec4<f32>" if n_vec else "f32" }}>;
{% if c.bias %}
@group(0) @binding(3) var<storage, read> bias: array<f32>;
{% endif %}

{% if x_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return vec4<f32>(); }
{% else %}
fn patch_element(z: u32, m: u32, k: u32) -> f32 {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return 0.0; }
{% endif %}
{% if c.kh * c.kw == 1 %}
    let ci = k;
    let ky = 0u;
    let kx = 0u;
{% else %}
    let tap = k / {{ c.cin }}u;
    let ci = k % {{ c.cin }}u;
    let ky = tap / {{ c.kw }}u;
    let kx = tap % {{ c.kw }}u;
{% endif %}
    let line = m / {{ c.ow }}u;
    let iy = line % {{ c.oh }}u * {{ c.sh }}u + ky * {{ c.dh }}u - {{ c.ph }}u;
    let ix = m % {{ c.ow }}u * {{ c.sw }}u + kx * {{ c.dw }}u - {{ c.pw }}u;
    // Above the image iy wraps to a huge number, so one comparison serves both edges.
    if iy >= {{ c.h }}u || ix >= {{ c.w }}u { return {{ "vec4<f32>()" if x_vec else "0.0" }}; }
    let at = ((line / {{ c.oh }}u * {{ c.h }}u + iy) * {{ c.w }}u + ix) * {{ c.cin * c.groups }}u + z * {{ c.cin }}u + ci;
    return x[at{{ " / 4u" if x_vec }}];
}
{% if not x_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(patch_element(z, m, k), patch_element(z, m, k + 1u), patch_element(z, m, k + 2u), patch_element(z, m, k + 3u));
}
{% endif %}

{% if n_vec %}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    if n >= {{ c.cout }}u || k >= {{ g.k }}u { return vec4<f32>(); }
    return w[(k * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + n) / 4u];
}
{% else %}
fn weight_element(z: u32, n: u32, k: u32) -> f32 {
    if n >= {{ c.cout }}u || k >= {{ g.k }}u { return 0.0; }
    return w[k * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + n];
}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(weight_element(z, n, k), weight_element(z, n + 1u, k), weight_element(z, n + 2u, k), weight_element(z, n + 3u, k));
}
{% endif %}

fn store_c(z: u32, split: u32, m: u32, n: u32, sum: vec4<f32>) {
    if n >= {{ c.cout }}u { return; }
    let o = z * {{ c.cout }}u + n;
{% if n_vec %}
    y[(m * {{ c.cout * c.groups }}u + o) / 4u] = sum{{ " + vec4<f32>(bias[o], bias[o + 1u], bias[o + 2u], bias[o + 3u])" if c.bias }};
{% else %}
{% for j in range(4) %}
    if n + {{ j }}u < {{ c.cout }}u { y[m * {{ c.cout * c.groups }}u + o + {{ j }}u] = sum[{{ j }}]{{ " + bias[o + " ~ j ~ "u]" if c.bias }}; }
{% endfor %}
{% endif %}
}

{% include "shared/gemm" %}
