// A copy of {{ entry }}: element (d0, d1, ..) of y is element (d0 + offset_0, ..) of x, 0 outside x. Axes are in memory order:
// x is {{ from }}, y is {{ to }}, the offsets are {{ offsets }}. One invocation per element of y.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn {{ entry }}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var rest = i;
    var at = 0u;
    var inside = true;
{% for axis in axes %}
    {
        let d = rest % {{ axis.to }}u{{ " + " ~ axis.offset ~ "u" if axis.offset > 0 }}{{ " - " ~ (-axis.offset) ~ "u" if axis.offset < 0 }};
        rest /= {{ axis.to }}u;
{% if axis.checked %}
        inside = inside && d < {{ axis.from }}u;
{% endif %}
        at += d * {{ axis.stride }}u;
    }
{% endfor %}
{% if checked %}
    if inside { y[i] = x[at]; } else { y[i] = 0.0; }
{% else %}
    y[i] = x[at];
{% endif %}
}
