// avg_pool2d: y = the sum of x over each window, divided by its cells on the padded map or by its pixels.
// CPU twin: cpu::avg_pool2d. One invocation per output element, channels fastest.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

{% include "shared/avg_window" %}

@compute @workgroup_size(256)
fn avg_pool2d(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ p.c }}u;
    let line = i / {{ p.c * p.ow }}u;
    let rows = window_y(line % {{ p.oh }}u);
    let columns = window_x(i / {{ p.c }}u % {{ p.ow }}u);
    let image = line / {{ p.oh }}u;
    var sum = 0.0;
    for (var iy = rows.first; iy < rows.end; iy++) {
        for (var ix = columns.first; ix < columns.end; ix++) {
            sum += x[((image * {{ p.h }}u + iy) * {{ p.w }}u + ix) * {{ p.c }}u + ch];
        }
    }
    y[i] = sum / f32(rows.count * columns.count);
}
