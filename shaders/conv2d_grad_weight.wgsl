// conv2d_grad_weight: dw[ky, kx, i, o] = sum over (n, oy, ox) of x[n, oy sh + ky dh - ph, ox sw + kx dw - pw, i] dy[n, oy, ox, o].
// CPU twin: cpu::conv2d_grad_weight. An implicit matrix product: m is the tap and input channel, k the output pixel,
// n the output channel, z the group. The pixels are split over {{ g.splits }} workgroups per tile; with more than one, dw holds
// partial sums, one set per split, which shared/sum_parts adds in a fixed order.
{% set m_vec = c.cin % 4 == 0 %}
{% set n_vec = c.cout % 4 == 0 %}
@group(0) @binding(0) var<storage, read> x: array<{{ "vec4<f32>" if m_vec else "f32" }}>;
@group(0) @binding(1) var<storage, read> dy: array<{{ "vec4<f32>" if n_vec else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> dw: array<{{ "vec4<f32>" if n_vec else "f32" }}>;

{% if m_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return vec4<f32>(); }
{% else %}
fn patch_element(z: u32, m: u32, k: u32) -> f32 {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return 0.0; }
{% endif %}
    let tap = m / {{ c.cin }}u;
    let line = k / {{ c.ow }}u;
    let iy = line % {{ c.oh }}u * {{ c.sh }}u + tap / {{ c.kw }}u * {{ c.dh }}u - {{ c.ph }}u;
    let ix = k % {{ c.ow }}u * {{ c.sw }}u + tap % {{ c.kw }}u * {{ c.dw }}u - {{ c.pw }}u;
    // Above the image iy wraps to a huge number, so one comparison serves both edges.
    if iy >= {{ c.h }}u || ix >= {{ c.w }}u { return {{ "vec4<f32>()" if m_vec else "0.0" }}; }
    let at = ((line / {{ c.oh }}u * {{ c.h }}u + iy) * {{ c.w }}u + ix) * {{ c.cin * c.groups }}u + z * {{ c.cin }}u + m % {{ c.cin }}u;
    return x[at{{ " / 4u" if m_vec }}];
}
{% if not m_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(patch_element(z, m, k), patch_element(z, m + 1u, k), patch_element(z, m + 2u, k), patch_element(z, m + 3u, k));
}
{% endif %}

{% if n_vec %}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    if n >= {{ c.cout }}u || k >= {{ g.k }}u { return vec4<f32>(); }
    return dy[(k * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + n) / 4u];
}
{% else %}
fn gradient_element(z: u32, n: u32, k: u32) -> f32 {
    if n >= {{ c.cout }}u || k >= {{ g.k }}u { return 0.0; }
    return dy[k * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + n];
}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(gradient_element(z, n, k), gradient_element(z, n + 1u, k), gradient_element(z, n + 2u, k), gradient_element(z, n + 3u, k));
}
{% endif %}

fn store_c(z: u32, split: u32, m: u32, n: u32, v: vec4<f32>) {
    let at = (split * {{ g.m }}u + m) * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + n;
{% if n_vec %}
    if n < {{ c.cout }}u { dw[at / 4u] = v; }
{% else %}
{% for j in range(4) %}
    if n + {{ j }}u < {{ c.cout }}u { dw[at + {{ j }}u] = v[{{ j }}]; }
{% endfor %}
{% endif %}
}

{% include "shared/gemm" %}
