// layer_norm: y = (x - mean) / sqrt(variance + eps) gamma + beta along each row. CPU twin: cpu::layer_norm.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

{% include "shared/rows" %}
{% include "shared/row_moments" %}
@compute @workgroup_size(256)
fn layer_norm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = row_of(group, t);
    let first = min(row, {{ rows - 1 }}u) * {{ columns }}u;
    let moments = row_moments(t, first);
    if row >= {{ rows }}u { return; }
    for (var c = t % {{ lanes }}u; c < {{ columns }}u; c += {{ lanes }}u) {
        y[first + c] = (x[first + c] - moments.x) * moments.y * gamma[c] + beta[c];
    }
}
