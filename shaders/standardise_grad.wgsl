// standardise_grad: dw = r (dy - sums[0] / m - wh sums[1] / m), r = 1 / sqrt(variance + eps), wh = (w - mean) r, m = {{ count }} weights of
// an output channel. CPU twin: cpu::standardise_grad. stats and sums are [2, {{ channels }}]. One invocation per weight.
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(256)
fn standardise_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let c = i % {{ channels }}u;
    let r = 1.0 / sqrt(stats[c + {{ channels }}u] + {{ eps }});
    dw[i] = r * (dy[i] - (sums[c] + (w[i] - stats[c]) * r * sums[c + {{ channels }}u]) / {{ count }}.0);
}
