// gelu_grad: dx = dy (P(x) + x p(x)) with distribution function P and density p of the standard normal.
// CPU twin: cpu::gelu_grad.
{% include "shared/gauss" %}
fn {{ function }}(x: f32, dy: f32) -> f32 {
    let e = exp(-0.5 * x * x);
    return dy * ({{ function }}_cdf(x, e) + 0.3989423 * x * e);
}
