// relu_grad: dx = dy where x > 0, else 0. CPU twin: cpu::relu_grad.
fn {{ function }}(x: f32, dy: f32) -> f32 { return select(0.0, dy, x > 0.0); }
