// What circuit and circuit_grad share: {{ p }} circuit(s) of {{ qubits }} qubits in a workgroup of {{ threads }}, {{ lanes }} invocation(s)
// a circuit, {{ regs }} amplitudes in the registers of each. A pass holds the amplitudes that differ in up to three
// neighbouring bits of the index and turns those qubits; between passes amplitudes change hands in `shared_state`.
var<workgroup> shared_state: array<vec2<f32>, {{ p * size }}>;
// Sine and cosine of half of RY's angle, then of RX's, by qubit.
var<workgroup> turn: array<vec4<f32>, {{ p * qubits }}>;
// Products of the vectors of the top {{ top }} qubits and of the {{ qubits - top }} below, of the first block.
var<workgroup> above: array<vec2<f32>, {{ p * 2 ** top }}>;
var<workgroup> below: array<vec2<f32>, {{ p * 2 ** (qubits - top) }}>;

{% include "shared/sin_cos" %}

{% include "shared/circuit_place" %}

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// The ring of CNOT gates is one permutation of the basis: new[i] = old[before_ring(i)], after_ring its inverse.
fn before_ring(i: u32) -> u32 {
{% if qubits == 1 %}
    return i;
{% else %}
    return i ^ (i >> 1u) ^ ((i & 1u) * {{ 3 * 2 ** (qubits - 2) }}u);
{% endif %}
}

fn after_ring(i: u32) -> u32 {
{% if qubits == 1 %}
    return i;
{% else %}
    var d = i ^ (i >> 1u);
    d ^= d >> 2u;
    d ^= d >> 4u;
    d ^= d >> 8u;
    return d ^ ((d & 1u) << {{ qubits - 1 }}u);
{% endif %}
}

// The vector of a qubit after H, RY and RX.
fn qubit_vector(m: vec4<f32>, bit: u32) -> vec2<f32> {
    let v = vec2<f32>(m.y - m.x, m.y + m.x) * 0.707106781;
    let w = select(v, v.yx, bit == 1u);
    return vec2<f32>(m.w * w.x, -m.z * w.y);
}

fn load_turns(block: u32, first_slot: u32, t: u32) {
    for (var j = t; j < {{ p * qubits }}u; j += {{ threads }}u) {
        let at = theta_of(min(first_slot + j / {{ qubits }}u, {{ count - 1 }}u)) + block * {{ 2 * qubits }}u + j % {{ qubits }}u;
        turn[j] = vec4<f32>(sin_cos(theta[at] * 0.5), sin_cos(theta[at + {{ qubits }}u] * 0.5));
    }
}

// The two products of the first block, of circuit c.
fn load_products(t: u32) {
{% for side in [{"name": "above", "first": 0, "bits": top}, {"name": "below", "first": top, "bits": qubits - top}] %}
    for (var j = t; j < {{ p * 2 ** side.bits }}u; j += {{ threads }}u) {
        let c = j / {{ 2 ** side.bits }}u;
        var product = vec2<f32>(1.0, 0.0);
{% for q in range(side.bits) %}
        product = times(product, qubit_vector(turn[c * {{ qubits }}u + {{ side.first + q }}u], (j >> {{ side.bits - 1 - q }}u) & 1u));
{% endfor %}
        {{ side.name }}[j] = product;
    }
{% endfor %}
}

fn product_amplitude(c: u32, j: u32) -> vec2<f32> {
    return times(above[c * {{ 2 ** top }}u + (j >> {{ qubits - top }}u)], below[c * {{ 2 ** (qubits - top) }}u + (j & {{ 2 ** (qubits - top) - 1 }}u)]);
}

