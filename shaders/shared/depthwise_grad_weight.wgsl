// The gradient of a depthwise convolution for its weight: dw[ky, kx, ch] = sum over (n, oy, ox) of
// x[n, oy sh + ky dh - ph, ox sw + kx dw - pw, ch] dy[n, oy, ox, ch]. z is the tap, p the output pixel.
// CPU twin: cpu::depthwise.
{% set entry = "depthwise_grad_weight" %}
{% set sums = 1 %}
{% set output_binding = 2 %}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;

fn value_0(z: u32, p: u32, ch: u32) -> f32 {
    let line = p / {{ c.ow }}u;
    let iy = line % {{ c.oh }}u * {{ c.sh }}u + z / {{ c.kw }}u * {{ c.dh }}u - {{ c.ph }}u;
    let ix = p % {{ c.ow }}u * {{ c.sw }}u + z % {{ c.kw }}u * {{ c.dw }}u - {{ c.pw }}u;
    // Above the image iy wraps to a huge number, so one comparison serves both edges.
    if iy >= {{ c.h }}u || ix >= {{ c.w }}u { return 0.0; }
    return x[((line / {{ c.oh }}u * {{ c.h }}u + iy) * {{ c.w }}u + ix) * {{ c.groups }}u + ch] * dy[p * {{ c.groups }}u + ch];
}

{% include "shared/channel_reduce" %}
