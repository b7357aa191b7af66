// The inputs one behind the other along one axis, all seen as [outer, own extent].
// One invocation per element of y; y is [{{ outer }}, {{ total }}].
{% for part in parts %}
@group(0) @binding({{ loop.index0 }}) var<storage, read> x{{ loop.index0 }}: array<f32>;
{% endfor %}
@group(0) @binding({{ parts | length }}) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn {{ entry }}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ outer * width }}u { return; }
    let o = i / {{ width }}u;
    let d = i % {{ width }}u;
    let at = o * {{ total }}u + {{ first }}u + d;
{% for part in parts %}
    {{ "else " if not loop.first }}{% if not loop.last %}if d < {{ part.end }}u {% endif %}{ y[at] = x{{ loop.index0 }}[o * {{ part.extent }}u + d - {{ part.begin }}u]; }
{% endfor %}
}
