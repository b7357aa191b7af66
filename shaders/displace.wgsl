// displace: group j of {{ size }} channels moved by j - {{ middle }} pixels{{ ", the other way" if back }}, zeros where nothing comes from.
// CPU twin: cpu::displace. One invocation per element; a pixel further along the axis lies {{ step }} elements on.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn displace(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let j = i % {{ c }}u / {{ size }}u;
    let here = i / {{ step }}u % {{ extent }}u;
    // Before the first pixel this wraps to a huge number, so one comparison serves both ends.
{% if back %}
    let source = here + j - {{ middle }}u;
{% else %}
    let source = here + {{ middle }}u - j;
{% endif %}
    if source < {{ extent }}u { y[i] = x[i + source * {{ step }}u - here * {{ step }}u]; } else { y[i] = 0.0; }
}
