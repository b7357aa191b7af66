// The place in rows [circuit, amplitude] of the entry of the weight that lies at `at`.
fn row_place(at: u32) -> u32 {
{% if columns %}
    let target_index = at % {{ targets }}u;
    let amplitude = at / {{ targets }}u % {{ used }}u;
{% else %}
    let amplitude = at % {{ used }}u;
    let target_index = at / {{ used }}u % {{ targets }}u;
{% endif %}
    let position = at / {{ targets * used }}u;
    return (target_index * {{ positions }}u + position) * {{ used }}u + amplitude;
}
