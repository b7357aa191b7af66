// weight_map_grad: the gradient of a weight back in rows, one per circuit. CPU twin: cpu::weight_map_grad.
// One invocation per entry of the weight, in memory order.
@group(0) @binding(0) var<storage, read> dweight: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
{% include "shared/circuit_row" %}

@compute @workgroup_size(256)
fn weight_map_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let at = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if at >= {{ n }}u { return; }
    dx[row_place(at)] = dweight[at];
}
