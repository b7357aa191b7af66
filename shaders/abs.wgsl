// abs: y = |x|. CPU twin: cpu::abs.
fn {{ function }}(x: f32) -> f32 { return abs(x); }
