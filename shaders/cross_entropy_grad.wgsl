// cross_entropy_grad: dx_k = dy (softmax(x)_k - [k = t]) per pixel; not a number where the target names no class.
// CPU twin: cpu::cross_entropy_grad.
// One invocation per pixel; the {{ k }} classes are contiguous.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(256)
fn cross_entropy_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var largest = x[i * {{ k }}u];
    for (var c = 1u; c < {{ k }}u; c++) { largest = max(largest, x[i * {{ k }}u + c]); }
    var sum = 0.0;
    for (var c = 0u; c < {{ k }}u; c++) { sum += exp(x[i * {{ k }}u + c] - largest); }
    let named = target_class[i] > -1.0 && target_class[i] < {{ k }}.0;
    let wanted = min(u32(target_class[i]), {{ k - 1 }}u);
    for (var c = 0u; c < {{ k }}u; c++) {
        let p = exp(x[i * {{ k }}u + c] - largest) / sum;
        let dx_i = dy[i] * (p - select(0.0, 1.0, c == wanted));
        dx[i * {{ k }}u + c] = select(bitcast<f32>(0x7fc00000u | i), dx_i, named);
    }
}
