// Sine and cosine of x, to 1e-7 for |x| below 1e4: the built-in functions promise 5e-4 only.
fn sin_cos(x: f32) -> vec2<f32> {
    let n = round(x * 0.636619772);
    // pi/2 in three parts, the first two of few bits, so that the differences are exact.
    let r = ((x - n * 1.5703125) - n * 4.83751296997e-4) - n * 7.54978995489e-8;
    let z = r * r;
    let s = r + r * z * (-0.166666667 + z * (8.33333310e-3 + z * (-1.98409e-4 + z * 2.7525562e-6)));
    let c = 1.0 + z * (-0.5 + z * (4.16666641e-2 + z * (-1.38888e-3 + z * 2.47609e-5)));
    let turn = i32(n) & 3;
    let swapped = select(vec2<f32>(s, c), vec2<f32>(c, s), (turn & 1) == 1);
    let sign = vec2<f32>(select(1.0, -1.0, (turn & 2) != 0), select(1.0, -1.0, ((turn + 1) & 2) != 0));
    return swapped * sign;
}
