// A chain of element-wise ops as one kernel: every invocation computes {{ lanes }} neighbouring element(s) of y.
// Ops: {{ steps | map(attribute="op") | join(", ") }}.
{% for input in inputs %}
@group(0) @binding({{ loop.index0 }}) var<storage, read> x{{ loop.index0 }}: array<{{ "vec4<f32>" if input.vec else "f32" }}>;
{% endfor %}
@group(0) @binding({{ inputs | length }}) var<storage, read_write> y: array<{{ "vec4<f32>" if lanes == 4 else "f32" }}>;

{% for function in functions %}
{{ function }}
{% endfor %}
@compute @workgroup_size(256)
fn element_wise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let id = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if id >= {{ n // lanes }}u { return; }
    let i = id{{ " * 4u" if lanes == 4 }};
{% for load in loads %}
{% if lanes == 4 and not load.vec %}
    let a{{ loop.index0 }} = vec4<f32>(x{{ load.input }}[{{ load.at }}]);
{% else %}
    let a{{ loop.index0 }} = x{{ load.input }}[{{ "(" ~ load.at ~ ") / 4u" if load.vec else load.at }}];
{% endif %}
{% endfor %}
{% for step in steps %}
{% if lanes == 4 %}
    let s{{ loop.index0 }} = vec4<f32>(
{% for lane in range(4) %}
        {{ step.function }}({% for arg in step.args %}{{ arg }}[{{ lane }}]{{ ", " if not loop.last }}{% endfor %}),
{% endfor %}
    );
{% else %}
    let s{{ loop.index0 }} = {{ step.function }}({{ step.args | join(", ") }});
{% endif %}
{% endfor %}
    y[id] = s{{ steps | length - 1 }};
}
