// conv_transpose2d: y[n, iy, ix, i] = bias[i] + sum over (ky, kx, o) of x[n, oy, ox, o] w[ky, kx, i, o] where
// oy sh + ky dh - ph = iy, and so for the columns. It is also the data gradient of conv2d, whose letters it keeps: i, h and w
// belong to the convolution's input (here y), o, oh and ow to its output (here x). CPU twin: cpu::conv_transpose2d.
// An implicit matrix product: n is the channel i, z the group.
{% if c.phases %}
// Kernel = stride and no padding: every pixel of y belongs to one pixel of x and one tap, so m is the pixel of x,
// k the channel o, n the tap and channel i, and the store scatters the taps.
{% else %}
// m is the pixel of y, k the tap and channel o.
{% endif %}
{% set k_vec = c.cout % 4 == 0 %}
{% set n_vec = c.cin % 4 == 0 %}
@group(0) @binding(0) var<storage, read> x: array<{{ "vec4<f32>" if k_vec else "f32" }}>;
@group(0) @binding(1) var<storage, read> w: array<{{ "vec4<f32>" if k_vec else "f32" }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ "vec4<f32>" if n_vec else "f32" }}>;
{% if c.bias %}
@group(0) @binding(3) var<storage, read> bias: array<f32>;
{% endif %}

{% if k_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return vec4<f32>(); }
{% else %}
fn patch_element(z: u32, m: u32, k: u32) -> f32 {
    if m >= {{ g.m }}u || k >= {{ g.k }}u { return 0.0; }
{% endif %}
{% if c.phases %}
    let at = m * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + k;
{% else %}
    let tap = k / {{ c.cout }}u;
    let co = k % {{ c.cout }}u;
    let line = m / {{ c.w }}u;
    // What lies above the image wraps to a huge number, so one comparison serves both edges.
    let ty = line % {{ c.h }}u + {{ c.ph }}u - tap / {{ c.kw }}u * {{ c.dh }}u;
    let tx = m % {{ c.w }}u + {{ c.pw }}u - tap % {{ c.kw }}u * {{ c.dw }}u;
    let oy = ty / {{ c.sh }}u;
    let ox = tx / {{ c.sw }}u;
    if oy >= {{ c.oh }}u || ox >= {{ c.ow }}u { return {{ "vec4<f32>()" if k_vec else "0.0" }}; }
{% if c.sh > 1 or c.sw > 1 %}
    if oy * {{ c.sh }}u != ty || ox * {{ c.sw }}u != tx { return {{ "vec4<f32>()" if k_vec else "0.0" }}; }
{% endif %}
    let at = ((line / {{ c.h }}u * {{ c.oh }}u + oy) * {{ c.ow }}u + ox) * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + co;
{% endif %}
    return x[at{{ " / 4u" if k_vec }}];
}

{% if k_vec %}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    if n >= {{ g.n }}u || k >= {{ g.k }}u { return vec4<f32>(); }
{% else %}
fn weight_element(z: u32, n: u32, k: u32) -> f32 {
    if n >= {{ g.n }}u || k >= {{ g.k }}u { return 0.0; }
{% endif %}
{% if c.phases %}
    let at = n * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + k;
{% else %}
    let at = (k / {{ c.cout }}u * {{ c.cin }}u + n) * {{ c.cout * c.groups }}u + z * {{ c.cout }}u + k % {{ c.cout }}u;
{% endif %}
    return w[at{{ " / 4u" if k_vec }}];
}
{% if not k_vec %}
fn load_a(z: u32, m: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(patch_element(z, m, k), patch_element(z, m, k + 1u), patch_element(z, m, k + 2u), patch_element(z, m, k + 3u));
}
fn load_b(z: u32, n: u32, k: u32) -> vec4<f32> {
    return vec4<f32>(weight_element(z, n, k), weight_element(z, n, k + 1u), weight_element(z, n, k + 2u), weight_element(z, n, k + 3u));
}
{% endif %}

// The place in y that (m, n) stands for.
fn place(z: u32, m: u32, n: u32) -> u32 {
{% if c.phases %}
    let tap = n / {{ c.cin }}u;
    let line = m / {{ c.ow }}u;
    let iy = line * {{ c.sh }}u + tap / {{ c.kw }}u;
    let ix = m % {{ c.ow }}u * {{ c.sw }}u + tap % {{ c.kw }}u;
    return (iy * {{ c.w }}u + ix) * {{ c.cin * c.groups }}u + z * {{ c.cin }}u + n % {{ c.cin }}u;
{% else %}
    return m * {{ c.cin * c.groups }}u + z * {{ c.cin }}u + n;
{% endif %}
}

fn store_c(z: u32, split: u32, m: u32, n: u32, v: vec4<f32>) {
{% if n_vec %}
    if n >= {{ g.n }}u { return; }
    let at = place(z, m, n);
{% if c.bias %}
    let o = at % {{ c.cin * c.groups }}u;
    y[at / 4u] = v + vec4<f32>(bias[o], bias[o + 1u], bias[o + 2u], bias[o + 3u]);
{% else %}
    y[at / 4u] = v;
{% endif %}
{% else %}
{% for j in range(4) %}
    if n + {{ j }}u < {{ g.n }}u {
        let at = place(z, m, n + {{ j }}u);
        y[at] = v[{{ j }}]{{ " + bias[at % " ~ (c.cin * c.groups) ~ "u]" if c.bias }};
    }
{% endfor %}
{% endif %}
}

{% include "shared/gemm" %}
