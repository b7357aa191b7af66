// Where output index o of an axis reads its input: lower neighbour, upper neighbour, share of the upper one.
{% macro axis(name, from, to) %}
struct Source{{ name }} { low: u32, high: u32, share: f32 }
fn source_{{ name }}(o: u32) -> Source{{ name }} {
{% if mode == "nearest" %}
    let low = min(o * {{ from }}u / {{ to }}u, {{ from - 1 }}u);
    return Source{{ name }}(low, low, 0.0);
{% else %}
{% if mode == "bilinear_corners" %}
{% if to > 1 %}
    // An exact integer division, so that a source that falls on a pixel has no rounding error.
    let low = o * {{ from - 1 }}u / {{ to - 1 }}u;
    let share = f32(o * {{ from - 1 }}u - low * {{ to - 1 }}u) / {{ to - 1 }}.0;
{% else %}
    let low = 0u;
    let share = 0.0;
{% endif %}
{% else %}
    // source = max(0, (o + 1/2) from / to - 1/2) = max(0, (2 o + 1) from - to) / (2 to)
    let twice = (2u * o + 1u) * {{ from }}u;
    let numerator = max(twice, {{ to }}u) - {{ to }}u;
    let low = numerator / {{ 2 * to }}u;
    let share = f32(numerator - low * {{ 2 * to }}u) / {{ 2 * to }}.0;
{% endif %}
    return Source{{ name }}(low, min(low + 1u, {{ from - 1 }}u), share);
{% endif %}
}
{% endmacro %}
{{ axis("y", h, oh) }}
{{ axis("x", w, ow) }}
