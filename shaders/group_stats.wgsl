// group_stats: mean and biased variance of each group of channels from those of its channels, as [N, 2, G]:
// mean = sum mean_c / k, variance = sum (variance_c + (mean_c - mean)^2) / k over the k channels of a group.
// CPU twin: cpu::group_stats. One invocation per sample and group; x is [N, 2, {{ channels }}].
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

{% set width = channels // groups %}
@compute @workgroup_size(256)
fn group_stats(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let sample = i / {{ groups }}u;
    let first = sample * {{ 2 * channels }}u + i % {{ groups }}u * {{ width }}u;
    var mean = 0.0;
    for (var c = first; c < first + {{ width }}u; c++) { mean += x[c]; }
    mean /= {{ width }}.0;
    var variance = 0.0;
    for (var c = first; c < first + {{ width }}u; c++) {
        let d = x[c] - mean;
        variance += x[c + {{ channels }}u] + d * d;
    }
    let at = sample * {{ 2 * groups }}u + i % {{ groups }}u;
    y[at] = mean;
    y[at + {{ groups }}u] = variance / {{ width }}.0;
}
