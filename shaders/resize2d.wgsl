// resize2d: a feature map at another size, bilinear or nearest. CPU twin: cpu::resize2d.
// One invocation per element of y, channels fastest.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

{% include "shared/resize_source" %}

@compute @workgroup_size(256)
fn resize2d(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ c }}u;
    let line = i / {{ c * ow }}u;
    let sy = source_y(line % {{ oh }}u);
    let sx = source_x(i / {{ c }}u % {{ ow }}u);
    let image = line / {{ oh }}u * {{ h * w * c }}u + ch;
{% if mode == "nearest" %}
    y[i] = x[image + (sy.low * {{ w }}u + sx.low) * {{ c }}u];
{% else %}
    let top = mix(x[image + (sy.low * {{ w }}u + sx.low) * {{ c }}u], x[image + (sy.low * {{ w }}u + sx.high) * {{ c }}u], sx.share);
    let bottom = mix(x[image + (sy.high * {{ w }}u + sx.low) * {{ c }}u], x[image + (sy.high * {{ w }}u + sx.high) * {{ c }}u], sx.share);
    y[i] = mix(top, bottom, sy.share);
{% endif %}
}
