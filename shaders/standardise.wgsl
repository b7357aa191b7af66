// standardise: y = (w - mean) / sqrt(variance + eps) per output channel, which is innermost. CPU twin: cpu::standardise.
// stats is [2, {{ channels }}]. One invocation per weight.
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn standardise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let c = i % {{ channels }}u;
    y[i] = (w[i] - stats[c]) / sqrt(stats[c + {{ channels }}u] + {{ eps }});
}
