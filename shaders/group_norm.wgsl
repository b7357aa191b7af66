// group_norm: y = (x - mean) / sqrt(variance + eps) * gamma + beta. CPU twin: cpu::group_norm.
fn {{ function }}(x: f32, mean: f32, variance: f32, gamma: f32, beta: f32) -> f32 {
    return (x - mean) / sqrt(variance + {{ eps }}) * gamma + beta;
}
