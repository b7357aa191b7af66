// relu_grad: dx = 0 where x <= 0, else dy; what is no number lets dy through. CPU twin: cpu::relu_grad.
// A test of bits, as in relu: 0x80000000 (minus zero) to 0xff800000 (minus infinity), and zero.
fn {{ function }}(x: f32, dy: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return select(dy, 0.0, bits == 0u || bits - 0x80000000u <= 0x7f800000u);
}
