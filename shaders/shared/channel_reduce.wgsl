// Sums over the middle of [{{ outer }}, {{ rows }}, {{ inner }}]: y[z, chunk, r, c] = sum over the rows p of the chunk of value_r(z, p, c).
// The including kernel defines value_0 .. value_{{ sums - 1 }}. A workgroup holds {{ lanes }} columns by {{ depth }} rows; each invocation adds every
// {{ depth }}th row of its chunk of {{ chunk }}, then the rows are added as a binary tree: pairwise, in a fixed order.
@group(0) @binding({{ output_binding }}) var<storage, read_write> y: array<f32>;
{% for r in range(sums) %}
var<workgroup> part_{{ r }}: array<f32, {{ lanes * depth }}>;
{% endfor %}

@compute @workgroup_size({{ lanes }}, {{ depth }})
fn {{ entry }}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let block = group.y * {{ groups_x }}u + group.x;
    if block >= {{ blocks * chunks * outer }}u { return; }
    let c = block % {{ blocks }}u * {{ lanes }}u + local.x;
    let chunk = block / {{ blocks }}u % {{ chunks }}u;
    let z = block / {{ blocks * chunks }}u;
    let end = min((chunk + 1u) * {{ chunk }}u, {{ rows }}u);
{% for r in range(sums) %}
    var sum_{{ r }} = 0.0;
{% endfor %}
    if c < {{ inner }}u {
        for (var p = chunk * {{ chunk }}u + local.y; p < end; p += {{ depth }}u) {
{% for r in range(sums) %}
            sum_{{ r }} += value_{{ r }}(z, p, c);
{% endfor %}
        }
    }
    let t = local.y * {{ lanes }}u + local.x;
{% for r in range(sums) %}
    part_{{ r }}[t] = sum_{{ r }};
{% endfor %}
    for (var half = {{ depth // 2 }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half {
{% for r in range(sums) %}
            part_{{ r }}[t] += part_{{ r }}[t + half * {{ lanes }}u];
{% endfor %}
        }
    }
    if local.y == 0u && c < {{ inner }}u {
{% for r in range(sums) %}
        y[((z * {{ chunks }}u + chunk) * {{ sums }}u + {{ r }}u) * {{ inner }}u + c] = part_{{ r }}[t];
{% endfor %}
    }
}
