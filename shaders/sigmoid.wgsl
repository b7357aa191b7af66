// sigmoid: y = 1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows. CPU twin: cpu::sigmoid.
fn {{ function }}(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
