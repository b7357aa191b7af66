// group_norm_grad_input: dx = r (dy gamma - sums[0] / m - xh sums[1] / m), r = 1 / sqrt(variance + eps), xh = (x - mean) r,
// m = {{ count }} elements of a group. CPU twin: cpu::group_norm_grad_input.
fn {{ function }}(x: f32, dy: f32, mean: f32, variance: f32, gamma: f32, sum_0: f32, sum_1: f32) -> f32 {
    let r = 1.0 / sqrt(variance + {{ eps }});
    return r * (dy * gamma - (sum_0 + (x - mean) * r * sum_1) / {{ count }}.0);
}
