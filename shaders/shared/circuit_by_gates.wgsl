// circuit, gate by gate, for any ansatz. CPU twin: cpu::circuit. One workgroup per circuit.
@group(0) @binding(0) var<storage, read> theta: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{% if in_workgroup %}
var<workgroup> psi: array<vec2<f32>, {{ size }}>;
{% else %}
@group(0) @binding(2) var<storage, read_write> psi: array<vec2<f32>>;
{% endif %}
{% include "shared/circuit_gates" %}

@compute @workgroup_size({{ threads }})
fn circuit(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let slot = group.y * {{ groups_x }}u + group.x;
    if slot >= {{ count }}u { return; }
    let base = {{ "0u" if in_workgroup else "slot * " ~ size ~ "u" }};
    run(base, t, theta_of(slot));
    for (var i = t; i < {{ used }}u; i += {{ threads }}u) {
        let a = psi[base + i];
        y[place(slot, i)] = {{ scale }} * {{ "dot(a, a)" if probability else "a.x" }} + {{ offset }};
    }
}
