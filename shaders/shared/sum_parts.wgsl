// sum_parts: y[i] = sum over s of parts[s, i], in the order of s. One invocation per element.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn sum_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var sum = 0.0;
    for (var s = 0u; s < {{ parts }}u; s++) { sum += parts[s * {{ n }}u + i]; }
    y[i] = sum;
}
