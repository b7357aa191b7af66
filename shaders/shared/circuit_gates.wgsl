// What the gate-by-gate kernels share: one workgroup per circuit of {{ qubits }} qubits, its state in {{ "workgroup memory" if in_workgroup else "a buffer" }}.
{% include "shared/sin_cos" %}

{% include "shared/circuit_place" %}

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn sync() {
    workgroupBarrier();
{% if not in_workgroup %}
    storageBarrier();
{% endif %}
}

// The n-th index with a 0 at the bit of `mask`.
fn without(n: u32, mask: u32) -> u32 {
    return ((n & ~(mask - 1u)) << 1u) | (n & (mask - 1u));
}

fn start(base: u32, t: u32) {
    for (var i = t; i < {{ size }}u; i += {{ threads }}u) { psi[base + i] = vec2<f32>(select(0.0, 1.0, i == 0u), 0.0); }
    sync();
}

{% for layer in layers %}
// {{ layer.gate }}: forward on psi.
fn layer_{{ loop.index0 }}(base: u32, t: u32, angles: u32) {
    for (var k = 0u; k < {{ layer.count }}u; k++) {
{% set matrices = layer.forward %}
{% include "shared/gate_groups" %}
{% for block in layer.blocks %}
{% for state in block.states %}
            let x{{ state }} = psi[i + o{{ state }}];
{% endfor %}
{% for state in block.states %}
            psi[i + o{{ state }}] = {{ block.forward[loop.index0] }};
{% endfor %}
{% endfor %}
        }
        sync();
    }
}

{% endfor %}
fn run(base: u32, t: u32, at: u32) {
    start(base, t);
{% for at in before %}
    layer_{{ at }}(base, t, at + {{ layers[at].first }}u);
{% endfor %}
    for (var block = 0u; block < {{ blocks }}u; block++) {
{% for at in block %}
        layer_{{ at }}(base, t, at + {{ layers[at].first }}u + block * {{ stride }}u);
{% endfor %}
    }
{% for at in after %}
    layer_{{ at }}(base, t, at + {{ layers[at].first }}u);
{% endfor %}
}

