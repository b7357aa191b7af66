// exp: y = e^x. CPU twin: cpu::exp.
fn {{ function }}(x: f32) -> f32 { return exp(x); }
