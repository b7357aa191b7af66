// circuit_grad, gate by gate, for any ansatz, by adjoint differentiation: gates are undone on psi and on lambda, where
// dL = Re(sum lambda dpsi). CPU twin: cpu::circuit_grad. One workgroup per circuit.
@group(0) @binding(0) var<storage, read> theta: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dtheta: array<f32>;
{% if in_workgroup %}
var<workgroup> psi: array<vec2<f32>, {{ size }}>;
var<workgroup> lambda: array<vec2<f32>, {{ size }}>;
{% else %}
@group(0) @binding(3) var<storage, read_write> psi: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> lambda: array<vec2<f32>>;
{% endif %}
var<workgroup> part: array<f32, {{ threads }}>;
{% include "shared/circuit_gates" %}

{% for layer in layers %}
// {{ layer.gate }}: undone.
fn undo_{{ loop.index0 }}(base: u32, t: u32, angles: u32) {
    for (var back = 0u; back < {{ layer.count }}u; back++) {
        let k = {{ layer.count }}u - 1u - back;
        let cs = {{ "sin_cos(theta[angles + k] * 0.5)" if layer.rotates else "vec2<f32>(0.0, 1.0)" }};
        let mask = 1u << ({{ qubits - 1 }}u - {{ "(k + 1u) % " ~ qubits ~ "u" if layer.controlled else "k" }});
{% if layer.rotates %}
        var sum = 0.0;
{% endif %}
        for (var n = t; n < {{ size // 2 }}u; n += {{ threads }}u) {
            let i = pair(n, mask);
{% if layer.controlled %}
            if ((i >> ({{ qubits - 1 }}u - k)) & 1u) == 0u { continue; }
{% endif %}
            let a = psi[base + i];
            let b = psi[base + i + mask];
            let x = lambda[base + i];
            let y = lambda[base + i + mask];
{% if layer.rotates %}
            sum += times(x, times({{ layer.generator[0] }}, a) + times({{ layer.generator[1] }}, b)).y;
            sum += times(y, times({{ layer.generator[2] }}, a) + times({{ layer.generator[3] }}, b)).y;
{% endif %}
            psi[base + i] = times({{ layer.inverse[0] }}, a) + times({{ layer.inverse[1] }}, b);
            psi[base + i + mask] = times({{ layer.inverse[2] }}, a) + times({{ layer.inverse[3] }}, b);
            lambda[base + i] = times({{ layer.matrix[0] }}, x) + times({{ layer.matrix[2] }}, y);
            lambda[base + i + mask] = times({{ layer.matrix[1] }}, x) + times({{ layer.matrix[3] }}, y);
        }
{% if layer.rotates %}
        part[t] = sum;
        for (var half = {{ threads // 2 }}u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if t < half { part[t] += part[t + half]; }
        }
        if t == 0u { dtheta[angles + k] = 0.5 * part[0]; }
{% endif %}
        sync();
    }
}

{% endfor %}
@compute @workgroup_size({{ threads }})
fn circuit_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let slot = group.y * {{ groups_x }}u + group.x;
    if slot >= {{ count }}u { return; }
    let base = {{ "0u" if in_workgroup else "slot * " ~ size ~ "u" }};
    let at = theta_of(slot);
    run(base, t, at);
    for (var i = t; i < {{ size }}u; i += {{ threads }}u) {
        var g = 0.0;
        if i < {{ used }}u { g = {{ scale }} * dy[place(slot, i)]; }
{% if probability %}
        let a = psi[base + i];
        lambda[base + i] = 2.0 * g * vec2<f32>(a.x, -a.y);
{% else %}
        lambda[base + i] = vec2<f32>(g, 0.0);
{% endif %}
    }
    sync();
{% for at in after | reverse %}
    undo_{{ at }}(base, t, at + {{ layers[at].row * qubits }}u);
{% endfor %}
    for (var back = 0u; back < {{ blocks }}u; back++) {
        let block = {{ blocks - 1 }}u - back;
{% for at in block | reverse %}
        undo_{{ at }}(base, t, at + ({{ layers[at].row }}u + block * {{ axes }}u) * {{ qubits }}u);
{% endfor %}
    }
{% for at in before | reverse %}
    undo_{{ at }}(base, t, at + {{ layers[at].row * qubits }}u);
{% endfor %}
}
