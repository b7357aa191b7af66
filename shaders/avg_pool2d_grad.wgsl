// avg_pool2d_grad: dx = sum over the windows that hold this pixel of dy divided by the window's divisor.
// CPU twin: cpu::avg_pool2d_grad. One invocation per element of dx, channels fastest.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;

{% include "shared/avg_window" %}

@compute @workgroup_size(256)
fn avg_pool2d_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ p.c }}u;
    let ix = i / {{ p.c }}u % {{ p.w }}u;
    let line = i / {{ p.c * p.w }}u;
    let iy = line % {{ p.h }}u;
    let image = line / {{ p.h }}u;
    // Windows oy with oy sh - ph <= iy < oy sh - ph + kh.
    let y_first = (max(iy + {{ p.ph + p.sh }}u, {{ p.kh }}u) - {{ p.kh }}u) / {{ p.sh }}u;
    let y_last = min((iy + {{ p.ph }}u) / {{ p.sh }}u, {{ p.oh - 1 }}u);
    let x_first = (max(ix + {{ p.pw + p.sw }}u, {{ p.kw }}u) - {{ p.kw }}u) / {{ p.sw }}u;
    let x_last = min((ix + {{ p.pw }}u) / {{ p.sw }}u, {{ p.ow - 1 }}u);
    var sum = 0.0;
    for (var oy = y_first; oy <= y_last; oy++) {
        for (var ox = x_first; ox <= x_last; ox++) {
            let cells = f32(window_y(oy).count * window_x(ox).count);
            sum += dy[((image * {{ p.oh }}u + oy) * {{ p.ow }}u + ox) * {{ p.c }}u + ch] / cells;
        }
    }
    dx[i] = sum;
}
