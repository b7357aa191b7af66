// bce_with_logits: y = max(x, 0) - x t + log(1 + exp(-|x|)). CPU twin: cpu::bce_with_logits.
// log(1 + e) for e in (0, 1] is 2 atanh(e / (2 + e)), whose series in z = e / (2 + e) <= 1/3 keeps the digits that 1 + e loses.
fn {{ function }}(x: f32, t: f32) -> f32 {
    let e = exp(-abs(x));
    let z = e / (2.0 + e);
    let q = z * z;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0))))));
    return max(x, 0.0) - x * t + 2.0 * z * series;
}
