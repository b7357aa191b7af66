// lpp: y_i = w_0 p_i + sum_j w_(1+j) d_j(i) + b, d_0 the lowest bit of i. CPU twin: cpu::lpp. One invocation per element.
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn lpp(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let at = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if at >= {{ n }}u { return; }
    let i = at % {{ used }}u;
    let chosen = {{ "0u" if sets == 1 else "at / " ~ used ~ "u" }};
    var sum = b[chosen];
    for (var j = 0u; j < {{ qubits }}u; j++) { sum += w[chosen * {{ qubits + 1 }}u + 1u + j] * f32((i >> j) & 1u); }
    y[at] = w[chosen * {{ qubits + 1 }}u] * p[at] + sum;
}
