// sub: y = a - b. CPU twin: cpu::sub.
fn {{ function }}(a: f32, b: f32) -> f32 { return a - b; }
