// batch_norm_grad_input: dx = gamma r (dy - sums[0] / m - xh sums[1] / m), r = 1 / sqrt(variance + eps), xh = (x - mean) r;
// dx = gamma r dy where the statistics are constants. CPU twin: cpu::batch_norm_grad_input.
{% if training %}
fn {{ function }}(x: f32, dy: f32, mean: f32, variance: f32, gamma: f32, sum_0: f32, sum_1: f32) -> f32 {
    let r = 1.0 / sqrt(variance + {{ eps }});
    return gamma * r * (dy - (sum_0 + (x - mean) * r * sum_1) / {{ count }}.0);
}
{% else %}
fn {{ function }}(dy: f32, variance: f32, gamma: f32) -> f32 { return gamma / sqrt(variance + {{ eps }}) * dy; }
{% endif %}
