// lpp_grad_probability: dp = w_0 dy. CPU twin: cpu::lpp_grad_probability. One invocation per element.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> dp: array<f32>;

@compute @workgroup_size(256)
fn lpp_grad_probability(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let at = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if at >= {{ n }}u { return; }
    dp[at] = w[{{ "0u" if sets == 1 else "at / " ~ used ~ "u * " ~ (qubits + 1) ~ "u" }}] * dy[at];
}
