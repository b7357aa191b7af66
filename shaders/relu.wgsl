// relu: y = max(x, 0). CPU twin: cpu::relu.
fn {{ function }}(x: f32) -> f32 { return max(x, 0.0); }
