// argmax: the channel of the largest value of each pixel, the first one of equals. CPU twin: cpu::argmax.
// One invocation per pixel; the {{ k }} channels are contiguous.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn argmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var best = 0u;
    for (var c = 1u; c < {{ k }}u; c++) {
        if x[i * {{ k }}u + c] > x[i * {{ k }}u + best] { best = c; }
    }
    y[i] = f32(best);
}
