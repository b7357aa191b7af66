// batch_stats_join: joins the means and squared distances of chunks (Chan, Golub and LeVeque 1983):
// mean = sum n_i mean_i / n, variance = (sum m2_i + sum n_i (mean_i - mean)^2) / n. Every chunk but the last has {{ chunk }} pixels.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> part: array<f32, {{ lanes * depth }}>;

fn count(i: u32) -> f32 { return f32(min({{ chunk }}u, {{ rows }}u - i * {{ chunk }}u)); }

fn add_rows(local: vec3<u32>, value: f32) -> f32 {
    let t = local.y * {{ lanes }}u + local.x;
    workgroupBarrier();
    part[t] = value;
    for (var half = {{ depth // 2 }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half { part[t] += part[t + half * {{ lanes }}u]; }
    }
    workgroupBarrier();
    return part[local.x];
}

@compute @workgroup_size({{ lanes }}, {{ depth }})
fn batch_stats_join(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let block = group.y * {{ groups_x }}u + group.x;
    let c = block % {{ blocks }}u * {{ lanes }}u + local.x;
    // The last workgroups may repeat the last sample.
    let z = min(block / {{ blocks }}u, {{ outer - 1 }}u);
    let base = z * {{ chunks * 2 * inner }}u;
    let inside = c < {{ inner }}u;
    var sum = 0.0;
    let first = x[base + min(c, {{ inner - 1 }}u)];
    for (var i = local.y; i < {{ chunks }}u && inside; i += {{ depth }}u) {
        sum += count(i) * (x[base + i * {{ 2 * inner }}u + c] - first);
    }
    let mean = first + add_rows(local, sum) / {{ rows }}.0;
    sum = 0.0;
    for (var i = local.y; i < {{ chunks }}u && inside; i += {{ depth }}u) {
        let d = x[base + i * {{ 2 * inner }}u + c] - mean;
        sum += x[base + i * {{ 2 * inner }}u + {{ inner }}u + c] + count(i) * d * d;
    }
    let squares = add_rows(local, sum);
    if local.y == 0u && inside {
        y[z * {{ 2 * inner }}u + c] = mean;
        y[z * {{ 2 * inner }}u + {{ inner }}u + c] = squares / {{ rows }}.0;
    }
}
