// Where the angles of the circuit begin whose readout is the slot-th in memory.
fn theta_of(slot: u32) -> u32 {
    return (slot % {{ targets }}u * {{ positions }}u + slot / {{ targets }}u) * {{ angles }}u;
}

// The index of amplitude i of that circuit.
fn place(slot: u32, i: u32) -> u32 {
{% if columns %}
    return (slot / {{ targets }}u * {{ used }}u + i) * {{ targets }}u + slot % {{ targets }}u;
{% else %}
    return slot * {{ used }}u + i;
{% endif %}
}
