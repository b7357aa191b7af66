// The pixels under window o of an axis, first .. end, and how many the divisor counts.
struct Window { first: u32, end: u32, count: u32 }
{% macro axis(name, size, k, stride, padding) %}
fn window_{{ name }}(o: u32) -> Window {
    let start = o * {{ stride }}u;
    let end = min(start + {{ k }}u, {{ size + 2 * padding }}u);
    let first = max(start, {{ padding }}u) - {{ padding }}u;
    let last = min(end - {{ padding }}u, {{ size }}u);
    return Window(first, last, {{ "end - start" if p.count_padding else "last - first" }});
}
{% endmacro %}
{{ axis("y", p.h, p.kh, p.sh, p.ph) }}
{{ axis("x", p.w, p.kw, p.sw, p.pw) }}
