// A gate on qubit k, or on k and the next one, over its groups of amplitudes. cs: sine and cosine of each angle times its rate.
// psi[i + o0], psi[i + o1] .. are the basis states of the gate, its first qubit the most significant bit.
{% for rate in layer.rates %}
        let cs{{ loop.index0 }} = sin_cos(theta[angles + {{ loop.index0 * layer.count }}u + k] * {{ rate }});
{% endfor %}
{% for entry in matrices %}
        let {{ entry[0] }} = {{ entry[1] }};
{% endfor %}
        let o0 = 0u;
{% if layer.pairs %}
        let o1 = 1u << ({{ qubits - 1 }}u - (k + 1u) % {{ qubits }}u);
        let o2 = 1u << ({{ qubits - 1 }}u - k);
        let o3 = o1 + o2;
{% else %}
        let o1 = 1u << ({{ qubits - 1 }}u - k);
{% endif %}
        for (var n = t; n < {{ size // (4 if layer.pairs else 2) }}u; n += {{ threads }}u) {
            let i = base + {{ "without(without(n, min(o1, o2)), max(o1, o2))" if layer.pairs else "without(n, o1)" }};

