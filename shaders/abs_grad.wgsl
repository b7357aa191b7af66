// abs_grad: dx = sign(x) dy, 0 where x = 0, x where x is no number. CPU twin: cpu::abs_grad.
// sign(NaN) is whatever a driver makes of it, hence the test of bits.
fn {{ function }}(x: f32, dy: f32) -> f32 {
    return select(sign(x) * dy, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}
