// softmax: y_i = exp(x_i - m) / sum_j exp(x_j - m) along each row, m its largest element. CPU twin: cpu::softmax.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

{% include "shared/rows" %}
@compute @workgroup_size(256)
fn softmax(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = row_of(group, t);
    let lane = t % {{ lanes }}u;
    let first = min(row, {{ rows - 1 }}u) * {{ columns }}u;
    var most = x[first];
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { most = max(most, x[first + c]); }
    most = row_max(t, most);
    var sum = 0.0;
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { sum += exp(x[first + c] - most); }
    let scale = 1.0 / row_sum(t, sum);
    if row >= {{ rows }}u { return; }
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { y[first + c] = exp(x[first + c] - most) * scale; }
}
