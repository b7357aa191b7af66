// The state behind the turns of the last block, its ring of CNOT gates still to come: p0 .. in the order of the last pass.
    let lane = t % {{ lanes }}u;
    let c = t / {{ lanes }}u;
    let slot = first_slot + c;
    let mine = c * {{ size }}u;
{% for pass in passes %}
    let base_{{ loop.index0 }} = ((lane >> {{ pass.low }}u) << {{ pass.low + bits }}u) | (lane & {{ pass.step - 1 }}u);
{% endfor %}
    load_turns(0u, first_slot, t);
    workgroupBarrier();
    load_products(t);
    workgroupBarrier();
{% for k in range(regs) %}
    var p{{ k }} = product_amplitude(c, base_{{ last }} + {{ k * passes[last].step }}u);
{% endfor %}
{% if blocks > 1 %}
    for (var block = 1u; block < {{ blocks }}u; block++) {
{% for pass in passes %}
{% set from = loop.index0 - 1 if not loop.first else last %}
{% set to = loop.index0 %}
        workgroupBarrier();
{% for k in range(regs) %}
        shared_state[mine + base_{{ from }} + {{ k * passes[from].step }}u] = p{{ k }};
{% endfor %}
{% if loop.first %}
        load_turns(block, first_slot, t);
{% endif %}
        workgroupBarrier();
{% for k in range(regs) %}
        p{{ k }} = shared_state[mine + {{ "before_ring" if to == 0 }}(base_{{ to }} + {{ k * pass.step }}u)];
{% endfor %}
{% for gate in pass.gates %}
        {
            let m = turn[c * {{ qubits }}u + {{ gate.qubit }}u];
            let u = vec4<f32>(m.w * m.y, m.z * m.x, m.w * m.x, m.z * m.y);
{% for pair in gate.pairs %}
            {
                let x = p{{ pair[0] }};
                let y = p{{ pair[1] }};
                p{{ pair[0] }} = vec2<f32>(u.x * x.x + u.y * x.y - u.z * y.x + u.w * y.y, u.x * x.y - u.y * x.x - u.z * y.y - u.w * y.x);
                p{{ pair[1] }} = vec2<f32>(u.z * x.x + u.w * x.y + u.x * y.x - u.y * y.y, u.z * x.y - u.w * x.x + u.x * y.y + u.y * y.x);
            }
{% endfor %}
        }
{% endfor %}
{% endfor %}
    }
{% endif %}
