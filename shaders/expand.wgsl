// expand: y = x; the index does the repetition. CPU twin: cpu::expand.
fn {{ function }}(x: f32) -> f32 { return x; }
