// permute: axes in another order. CPU twin: cpu::permute. One invocation per element.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn permute(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    y[i] = x[0u{% for axis in axes %} + i / {{ axis.below }}u % {{ axis.extent }}u * {{ axis.from }}u{% endfor %}];
}
