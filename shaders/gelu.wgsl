// gelu: y = x P(x) with the distribution function P of the standard normal. CPU twin: cpu::gelu.
{% include "shared/gauss" %}
fn {{ function }}(x: f32) -> f32 { return x * {{ function }}_cdf(x, exp(-0.5 * x * x)); }
