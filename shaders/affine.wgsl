// affine: y = scale x + offset. CPU twin: cpu::affine.
fn {{ function }}(x: f32) -> f32 { return fma(x, {{ scale }}, {{ offset }}); }
