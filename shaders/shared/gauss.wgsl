// The distribution function of the standard normal at x, given e = exp(-x^2 / 2), as ops::gelu::gauss describes it.
{% macro horner(coefficients, x) %}
{% for c in coefficients %}{{ c }}{% if not loop.last %} + {{ x }} * ({% endif %}{% endfor %}{{ ")" * (coefficients | length - 1) }}
{%- endmacro %}
fn {{ function }}_cdf(x: f32, e: f32) -> f32 {
    let u = x * x;
    let t = 1.0 / (1.0 + {{ slope }} * abs(x));
    let tail = e * t * ({{ horner(tail, "t") }});
    let near = 0.5 + x * ({{ horner(near, "u") }});
    return select(select(1.0 - tail, tail, x < 0.0), near, u < {{ limit }});
}
