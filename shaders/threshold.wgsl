// threshold: y = 1 where x > limit, else 0. CPU twin: cpu::threshold.
fn {{ function }}(x: f32) -> f32 { return select(0.0, 1.0, x > {{ limit }}); }
