// abs_grad: dx = sign(x) dy, 0 where x = 0. CPU twin: cpu::abs_grad.
fn {{ function }}(x: f32, dy: f32) -> f32 { return sign(x) * dy; }
