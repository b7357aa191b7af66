// Mean and 1 / sqrt(variance + eps) of the row of x that begins at `first`.
fn row_moments(t: u32, first: u32) -> vec2<f32> {
    let lane = t % {{ lanes }}u;
    var sum = 0.0;
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) { sum += x[first + c]; }
    let mean = row_sum(t, sum) / {{ columns }}.0;
    sum = 0.0;
    for (var c = lane; c < {{ columns }}u; c += {{ lanes }}u) {
        let d = x[first + c] - mean;
        sum = fma(d, d, sum);
    }
    return vec2<f32>(mean, 1.0 / sqrt(row_sum(t, sum) / {{ columns }}.0 + {{ eps }}));
}
