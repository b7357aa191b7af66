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

// The lower index of the n-th pair that differs in a qubit.
fn pair(n: u32, mask: u32) -> u32 {
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
        let cs = {{ "sin_cos(theta[angles + k] * 0.5)" if layer.rotates else "vec2<f32>(0.0, 1.0)" }};
        let mask = 1u << ({{ qubits - 1 }}u - {{ "(k + 1u) % " ~ qubits ~ "u" if layer.controlled else "k" }});
        for (var n = t; n < {{ size // 2 }}u; n += {{ threads }}u) {
            let i = pair(n, mask);
{% if layer.controlled %}
            if ((i >> ({{ qubits - 1 }}u - k)) & 1u) == 0u { continue; }
{% endif %}
            let a = psi[base + i];
            let b = psi[base + i + mask];
            psi[base + i] = times({{ layer.matrix[0] }}, a) + times({{ layer.matrix[1] }}, b);
            psi[base + i + mask] = times({{ layer.matrix[2] }}, a) + times({{ layer.matrix[3] }}, b);
        }
        sync();
    }
}

{% endfor %}
fn run(base: u32, t: u32, at: u32) {
    start(base, t);
{% for at in before %}
    layer_{{ at }}(base, t, at + {{ layers[at].row * qubits }}u);
{% endfor %}
    for (var block = 0u; block < {{ blocks }}u; block++) {
{% for at in block %}
        layer_{{ at }}(base, t, at + ({{ layers[at].row }}u + block * {{ axes }}u) * {{ qubits }}u);
{% endfor %}
    }
{% for at in after %}
    layer_{{ at }}(base, t, at + {{ layers[at].row * qubits }}u);
{% endfor %}
}

