// circuit: psi = (ring RX RY)^{{ blocks }} H |0..0> of every circuit of a layer, y = {{ scale }} * readout + {{ offset }}, written to its
// place in the weight. CPU twin: cpu::circuit. One workgroup for {{ p }} circuit(s). The first block is a product state.
@group(0) @binding(0) var<storage, read> theta: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{% include "shared/circuit_state" %}

@compute @workgroup_size({{ threads }})
fn circuit(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let first_slot = (group.y * {{ groups_x }}u + group.x) * {{ p }}u;
{% include "shared/circuit_forward" %}
    workgroupBarrier();
{% for k in range(regs) %}
    shared_state[mine + base_{{ last }} + {{ k * passes[last].step }}u] = p{{ k }};
{% endfor %}
    workgroupBarrier();
    if slot < {{ count }}u {
        for (var i = lane; i < {{ used }}u; i += {{ lanes }}u) {
            let a = shared_state[mine + before_ring(i)];
            y[place(slot, i)] = {{ scale }} * {{ "dot(a, a)" if probability else "a.x" }} + {{ offset }};
        }
    }
}
