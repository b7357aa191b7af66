// weight_map: {{ targets * positions }} rows of {{ used }} amplitudes, one per circuit, as a weight (Eq. 8). CPU twin: cpu::weight_map.
// One invocation per entry of the weight, in memory order.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
{% include "shared/circuit_row" %}

@compute @workgroup_size(256)
fn weight_map(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let at = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if at >= {{ n }}u { return; }
    weight[at] = x[row_place(at)];
}
