// relayout: the elements of x in logical order as those of y in logical order. CPU twin: cpu::relayout.
// One invocation per element of y, in memory order: the index to coordinates, to the place in logical order, to
// coordinates in x, to the place in memory.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn relayout(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var rest = i;
    var place = 0u;
{% for axis in to %}
    place += (rest % {{ axis.extent }}u) * {{ axis.logical }}u;
    rest /= {{ axis.extent }}u;
{% endfor %}
    var at = 0u;
{% for axis in from %}
    at += (place % {{ axis.extent }}u) * {{ axis.memory }}u;
    place /= {{ axis.extent }}u;
{% endfor %}
    y[i] = x[at];
}
