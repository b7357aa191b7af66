// cross_entropy: y = log(sum over k of exp(x_k)) - x_t per pixel, with the largest x_k taken out first; not a number where the
// target names no class.
// CPU twin: cpu::cross_entropy. One invocation per pixel; the {{ k }} classes are contiguous.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn cross_entropy(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var largest = x[i * {{ k }}u];
    for (var c = 1u; c < {{ k }}u; c++) { largest = max(largest, x[i * {{ k }}u + c]); }
    var sum = 0.0;
    for (var c = 0u; c < {{ k }}u; c++) { sum += exp(x[i * {{ k }}u + c] - largest); }
    let wanted = target_class[i];
    let y_i = log(sum) + largest - x[i * {{ k }}u + min(u32(wanted), {{ k - 1 }}u)];
    // The bits of a NaN come from i, since WGSL refuses one that is known when it is compiled.
    y[i] = select(bitcast<f32>(0x7fc00000u | i), y_i, wanted > -1.0 && wanted < {{ k }}.0);
}
