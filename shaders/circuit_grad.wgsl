// circuit_grad: dtheta of every circuit of a layer by adjoint differentiation. CPU twin: cpu::circuit_grad.
// The state is computed again; then the turns are undone on it (p) and on the gradient (l, with dL = Re(sum l dpsi)).
// One workgroup for {{ p }} circuit(s). The first block's gradient contracts the product state, O(2^N).
@group(0) @binding(0) var<storage, read> theta: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dtheta: array<f32>;
{% include "shared/circuit_state" %}
var<workgroup> d_above: array<vec2<f32>, {{ p * 2 ** top }}>;
var<workgroup> d_below: array<vec2<f32>, {{ p * 2 ** (qubits - top) }}>;

// The gradient of amplitude `a`, the i-th in front of the last ring.
fn read_gradient(slot: u32, before: u32, a: vec2<f32>) -> vec2<f32> {
    let i = after_ring(before);
    if i >= {{ used }}u || slot >= {{ count }}u { return vec2<f32>(0.0, 0.0); }
    let g = {{ scale }} * dy[place(slot, i)];
    return {{ "2.0 * g * vec2<f32>(a.x, -a.y)" if probability else "vec2<f32>(g, 0.0)" }};
}

@compute @workgroup_size({{ threads }})
fn circuit_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let first_slot = (group.y * {{ groups_x }}u + group.x) * {{ p }}u;
{% include "shared/circuit_forward" %}
{% for k in range(regs) %}
    var l{{ k }} = read_gradient(slot, base_{{ last }} + {{ k * passes[last].step }}u, p{{ k }});
{% endfor %}
{% if blocks > 1 %}
    for (var block = {{ blocks - 1 }}u; block > 0u; block--) {
{% for q in range(qubits) %}
        var s{{ q }} = vec2<f32>(0.0, 0.0);
{% endfor %}
{% for pass in passes | reverse %}
{% set to = passes | length - 1 - loop.index0 %}
{% if not loop.first %}
{% for state in ["p", "l"] %}
        workgroupBarrier();
{% for k in range(regs) %}
        shared_state[mine + base_{{ to + 1 }} + {{ k * passes[to + 1].step }}u] = {{ state }}{{ k }};
{% endfor %}
        workgroupBarrier();
{% for k in range(regs) %}
        {{ state }}{{ k }} = shared_state[mine + base_{{ to }} + {{ k * pass.step }}u];
{% endfor %}
{% endfor %}
{% endif %}
{% for gate in pass.gates %}
        {
            let m = turn[c * {{ qubits }}u + {{ gate.qubit }}u];
{% for pair in gate.pairs %}
            {
                // RX is undone; between RX and RY both generators are Pauli matrices: X for RX, Y for RY.
                let x0 = m.w * p{{ pair[0] }} + m.z * vec2<f32>(-p{{ pair[1] }}.y, p{{ pair[1] }}.x);
                let x1 = m.w * p{{ pair[1] }} + m.z * vec2<f32>(-p{{ pair[0] }}.y, p{{ pair[0] }}.x);
                let g0 = m.w * l{{ pair[0] }} + m.z * vec2<f32>(l{{ pair[1] }}.y, -l{{ pair[1] }}.x);
                let g1 = m.w * l{{ pair[1] }} + m.z * vec2<f32>(l{{ pair[0] }}.y, -l{{ pair[0] }}.x);
                s{{ gate.qubit }} += vec2<f32>(
                    g1.x * x0.x - g1.y * x0.y - g0.x * x1.x + g0.y * x1.y,
                    g0.x * x1.y + g0.y * x1.x + g1.x * x0.y + g1.y * x0.x,
                );
                p{{ pair[0] }} = m.y * x0 + m.x * x1;
                p{{ pair[1] }} = m.y * x1 - m.x * x0;
                l{{ pair[0] }} = m.y * g0 + m.x * g1;
                l{{ pair[1] }} = m.y * g1 - m.x * g0;
            }
{% endfor %}
        }
{% endfor %}
{% endfor %}
{% for batch in range(qubits) | batch(regs) %}
        workgroupBarrier();
{% for q in batch %}
        shared_state[{{ loop.index0 * threads }}u + t] = s{{ q }};
{% endfor %}
        for (var half = {{ lanes // 2 }}u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if lane < half {
{% for q in batch %}
                shared_state[{{ loop.index0 * threads }}u + t] += shared_state[{{ loop.index0 * threads }}u + t + half];
{% endfor %}
            }
        }
        if lane == 0u && slot < {{ count }}u {
            let at = theta_of(slot) + block * {{ 2 * qubits }}u;
{% for q in batch %}
            let s{{ q }}_sum = 0.5 * shared_state[{{ loop.index0 * threads }}u + t];
            dtheta[at + {{ q }}u] = s{{ q }}_sum.x;
            dtheta[at + {{ qubits + q }}u] = s{{ q }}_sum.y;
{% endfor %}
        }
{% endfor %}
{% for state in ["p", "l"] %}
        workgroupBarrier();
{% for k in range(regs) %}
        shared_state[mine + base_0 + {{ k * passes[0].step }}u] = {{ state }}{{ k }};
{% endfor %}
{% if state == "p" %}
        load_turns(block - 1u, first_slot, t);
{% endif %}
        workgroupBarrier();
{% for k in range(regs) %}
        {{ state }}{{ k }} = shared_state[mine + after_ring(base_{{ last }} + {{ k * passes[last].step }}u)];
{% endfor %}
{% endfor %}
    }
{% endif %}
    workgroupBarrier();
{% for k in range(regs) %}
    shared_state[mine + base_{{ last }} + {{ k * passes[last].step }}u] = l{{ k }};
{% endfor %}
    workgroupBarrier();
    for (var j = t; j < {{ p * 2 ** top }}u; j += {{ threads }}u) {
        var sum = vec2<f32>(0.0, 0.0);
        for (var b = 0u; b < {{ 2 ** (qubits - top) }}u; b++) {
            sum += times(shared_state[j * {{ 2 ** (qubits - top) }}u + b], below[j / {{ 2 ** top }}u * {{ 2 ** (qubits - top) }}u + b]);
        }
        d_above[j] = sum;
    }
    for (var j = t; j < {{ p * 2 ** (qubits - top) }}u; j += {{ threads }}u) {
        let circuit = j / {{ 2 ** (qubits - top) }}u;
        var sum = vec2<f32>(0.0, 0.0);
        for (var a = 0u; a < {{ 2 ** top }}u; a++) {
            sum += times(
                shared_state[circuit * {{ size }}u + a * {{ 2 ** (qubits - top) }}u + j % {{ 2 ** (qubits - top) }}u],
                above[circuit * {{ 2 ** top }}u + a],
            );
        }
        d_below[j] = sum;
    }
    workgroupBarrier();
    for (var j = t; j < {{ p * qubits }}u; j += {{ threads }}u) {
        let circuit = j / {{ qubits }}u;
        let q = j % {{ qubits }}u;
        // The gradient of the qubit's vector: the other qubits of its side are contracted.
        var g0 = vec2<f32>(0.0, 0.0);
        var g1 = vec2<f32>(0.0, 0.0);
{% for side in [{"name": "d_above", "first": 0, "bits": top}, {"name": "d_below", "first": top, "bits": qubits - top}] %}
{% if side.bits > 0 %}
        if q {{ "<" if loop.first else ">=" }} {{ top }}u {
            for (var e = 0u; e < {{ 2 ** side.bits }}u; e++) {
                var product = {{ side.name }}[circuit * {{ 2 ** side.bits }}u + e];
                for (var other = {{ side.first }}u; other < {{ side.first + side.bits }}u; other++) {
                    if other != q {
                        let bit = (e >> ({{ side.first + side.bits - 1 }}u - other)) & 1u;
                        product = times(product, qubit_vector(turn[circuit * {{ qubits }}u + other], bit));
                    }
                }
                if ((e >> ({{ side.first + side.bits - 1 }}u - q)) & 1u) == 0u { g0 += product; } else { g1 += product; }
            }
        }
{% endif %}
{% endfor %}
        if first_slot + circuit < {{ count }}u {
            let m = turn[j];
            // 1/2 of the half angles times 1/sqrt 2 of the Hadamard gate.
            let v = vec2<f32>(m.y - m.x, m.y + m.x) * 0.353553391;
            let at = theta_of(first_slot + circuit) + q;
            dtheta[at] = m.w * (g1.x * v.x - g0.x * v.y) + m.z * (g0.y * v.x - g1.y * v.y);
            dtheta[at + {{ qubits }}u] = m.w * (g0.y * v.y + g1.y * v.x) - m.z * (g0.x * v.x + g1.x * v.y);
        }
    }
}
