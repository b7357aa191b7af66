// relu: y = max(x, 0); what is no number stays so. CPU twin: cpu::relu.
// WGSL lets max and comparisons take it that no operand is NaN, so the test is one of bits: those of the negative numbers are
// 0x80000001 (the smallest) to 0xff800000 (minus infinity).
fn {{ function }}(x: f32) -> f32 { return select(x, 0.0, bitcast<u32>(x) - 0x80000001u < 0x7f800000u); }
