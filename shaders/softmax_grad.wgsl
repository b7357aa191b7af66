// softmax_grad: dx_i = y_i (dy_i - sum_j y_j dy_j) along each row. CPU twin: cpu::softmax_grad.
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

{% include "shared/rows" %}
@compute @workgroup_size(256)
fn softmax_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = row_of(group, t);
    let lane = t % {{ lanes }}u;
    let first = min(row, {{ rows - 1 }}u) * {{ columns }}u;
    var sum = 0.0;
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { sum = fma(y[first + c], dy[first + c], sum); }
    let product = row_sum(t, sum);
    if row >= {{ rows }}u { return; }
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { dx[first + c] = y[first + c] * (dy[first + c] - product); }
}
