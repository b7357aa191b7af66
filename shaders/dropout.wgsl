// dropout: y = scale x where the element's random word is at least the threshold, else 0. CPU twin: cpu::dropout.
// One invocation per Philox block: four neighbouring elements.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> key: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

{% include "shared/philox" %}

@compute @workgroup_size(256)
fn dropout(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let block = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if block >= {{ n }}u { return; }
    let k = vec2<u32>(u32(key[0]) | u32(key[1]) << 16u, u32(key[2]) | u32(key[3]) << 16u);
    let words = philox4x32(vec4<u32>(block, 0u, {{ stream[0] }}u, {{ stream[1] }}u), k);
    for (var at = 0u; at < 4u; at++) {
        let i = block * 4u + at;
        if i < {{ elements }}u { y[i] = select(0.0, x[i] * {{ scale }}, words[at] >= {{ threshold }}u); }
    }
}
