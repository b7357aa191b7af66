// Rows of {{ columns }} elements, each shared by {{ lanes }} neighbouring invocations of a workgroup that holds {{ depth }} row(s). All of them
// take part in the sums, which are binary trees in a fixed order; the last workgroup may repeat the last row.
var<workgroup> part: array<f32, 256>;

fn row_of(group: vec3<u32>, t: u32) -> u32 { return (group.y * {{ groups_x }}u + group.x) * {{ depth }}u + t / {{ lanes }}u; }

{% for name, join in [("row_sum", "part[t] + part[t + half]"), ("row_max", "max(part[t], part[t + half])")] %}
fn {{ name }}(t: u32, value: f32) -> f32 {
    workgroupBarrier();
    part[t] = value;
    for (var half = {{ lanes // 2 }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t % {{ lanes }}u < half { part[t] = {{ join }}; }
    }
    workgroupBarrier();
    return part[t - t % {{ lanes }}u];
}
{% endfor %}
