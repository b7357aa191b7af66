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
// {{ layer.gate }}: undone. The slope of an angle is Re(l (dU psi)), psi being the state before the gate.
fn undo_{{ loop.index0 }}(base: u32, t: u32, angles: u32) {
    for (var back = 0u; back < {{ layer.count }}u; back++) {
        let k = {{ layer.count - 1 }}u - back;
{% for rate in layer.rates %}
        var slope{{ loop.index0 }} = 0.0;
{% endfor %}
{% set matrices = layer.undo %}
{% include "shared/gate_groups" %}
{% for block in layer.blocks %}
{% for state in block.states %}
            let p{{ state }} = psi[i + o{{ state }}];
            let l{{ state }} = lambda[i + o{{ state }}];
{% endfor %}
{% for state in block.states %}
            let x{{ state }} = {{ block.undo[loop.index0] }};
            psi[i + o{{ state }}] = x{{ state }};
            lambda[i + o{{ state }}] = {{ block.gradient[loop.index0] }};
{% endfor %}
{% for rows in block.slopes %}
{% set angle = loop.index0 %}
{% for state in block.states %}
            slope{{ angle }} += times(l{{ state }}, {{ rows[loop.index0] }}).x;
{% endfor %}
{% endfor %}
{% endfor %}
        }
{% for rate in layer.rates %}
        part[t] = slope{{ loop.index0 }};
        for (var half = {{ threads // 2 }}u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if t < half { part[t] += part[t + half]; }
        }
        if t == 0u { dtheta[angles + {{ loop.index0 * layer.count }}u + k] = part[0]; }
        workgroupBarrier();
{% endfor %}
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
    undo_{{ at }}(base, t, at + {{ layers[at].first }}u);
{% endfor %}
    for (var back = 0u; back < {{ blocks }}u; back++) {
        let block = {{ blocks - 1 }}u - back;
{% for at in block | reverse %}
        undo_{{ at }}(base, t, at + {{ layers[at].first }}u + block * {{ stride }}u);
{% endfor %}
    }
{% for at in before | reverse %}
    undo_{{ at }}(base, t, at + {{ layers[at].first }}u);
{% endfor %}
}
