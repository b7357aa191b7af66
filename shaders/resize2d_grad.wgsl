// resize2d_grad: dx = sum of dy over the outputs that read this input, each with its share. CPU twin: cpu::resize2d_grad.
// One invocation per element of dx; the outputs that can read index i of an axis are found by scanning a safe range.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;

{% include "shared/resize_source" %}

fn share_y(o: u32, i: u32) -> f32 {
    let s = source_y(o);
    return select(0.0, 1.0 - s.share, s.low == i) + select(0.0, s.share, s.high == i);
}
fn share_x(o: u32, i: u32) -> f32 {
    let s = source_x(o);
    return select(0.0, 1.0 - s.share, s.low == i) + select(0.0, s.share, s.high == i);
}

@compute @workgroup_size(256)
fn resize2d_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ c }}u;
    let ix = i / {{ c }}u % {{ w }}u;
    let line = i / {{ c * w }}u;
    let iy = line % {{ h }}u;
    let image = line / {{ h }}u * {{ oh * ow * c }}u + ch;
    // |source(o) - o from/to| <= 1 in every mode, so the readers of i lie within two inputs of i to/from.
    let y_first = (max(iy, 2u) - 2u) * {{ oh }}u / {{ h }}u;
    let y_last = min((iy + 3u) * {{ oh }}u / {{ h }}u + 1u, {{ oh }}u);
    let x_first = (max(ix, 2u) - 2u) * {{ ow }}u / {{ w }}u;
    let x_last = min((ix + 3u) * {{ ow }}u / {{ w }}u + 1u, {{ ow }}u);
    var sum = 0.0;
    for (var oy = y_first; oy < y_last; oy++) {
        let sy = share_y(oy, iy);
        if sy == 0.0 { continue; }
        for (var ox = x_first; ox < x_last; ox++) {
            let sx = share_x(ox, ix);
            if sx != 0.0 { sum += sy * sx * dy[image + (oy * {{ ow }}u + ox) * {{ c }}u]; }
        }
    }
    dx[i] = sum;
}
