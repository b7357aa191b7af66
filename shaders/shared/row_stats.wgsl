// row_stats: mean and 1 / sqrt(variance + eps) of each row, as [2, rows].
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;

{% include "shared/rows" %}
{% include "shared/row_moments" %}
@compute @workgroup_size(256)
fn row_stats(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = row_of(group, t);
    let moments = row_moments(t, min(row, {{ rows - 1 }}u) * {{ columns }}u);
    if row < {{ rows }}u && t % {{ lanes }}u == 0u {
        stats[row] = moments.x;
        stats[{{ rows }}u + row] = moments.y;
    }
}
