// layer_norm_grad_input: dx = r (g - mean(g) - xh mean(g xh)) along each row, with r = 1 / sqrt(variance + eps),
// xh = (x - mean) r and g = dy gamma. CPU twin: cpu::layer_norm_grad_input.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

{% include "shared/rows" %}
{% include "shared/row_moments" %}
@compute @workgroup_size(256)
fn layer_norm_grad_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = row_of(group, t);
    let lane = t % {{ lanes }}u;
    let first = min(row, {{ rows - 1 }}u) * {{ columns }}u;
    let moments = row_moments(t, first);
    var plain = 0.0;
    var scaled = 0.0;
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) {
        let g = dy[first + c] * gamma[c];
        plain += g;
        scaled = fma(g, (x[first + c] - moments.x) * moments.y, scaled);
    }
    plain = row_sum(t, plain) / {{ columns }}.0;
    scaled = row_sum(t, scaled) / {{ columns }}.0;
    if row >= {{ rows }}u { return; }
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) {
        let normal = (x[first + c] - moments.x) * moments.y;
        dx[first + c] = moments.y * (dy[first + c] * gamma[c] - plain - normal * scaled);
    }
}
