// batch_stats: mean[c] and biased variance[c] of x over the rows of [outer, rows, C], as [outer, 2, C]; for batch_stats outer is 1.
// CPU twin: cpu::batch_stats.
// First stage: a chunk of {{ chunk }} pixels gives its mean and the sum of squared distances from it. Sums are taken of x minus
// the chunk's first pixel, so a large common offset costs no digits. shared/batch_stats_join joins the chunks.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> part_1: array<f32, {{ lanes * depth }}>;
var<workgroup> part_2: array<f32, {{ lanes * depth }}>;

@compute @workgroup_size({{ lanes }}, {{ depth }})
fn batch_stats(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let block = group.y * {{ groups_x }}u + group.x;
    if block >= {{ blocks * chunks * outer }}u { return; }
    let c = block % {{ blocks }}u * {{ lanes }}u + local.x;
    let chunk = block / {{ blocks }}u % {{ chunks }}u;
    let z = block / {{ blocks * chunks }}u;
    let begin = chunk * {{ chunk }}u;
    let end = min(begin + {{ chunk }}u, {{ rows }}u);
    var shift = 0.0;
    var sum_1 = 0.0;
    var sum_2 = 0.0;
    if c < {{ inner }}u {
        shift = x[(z * {{ rows }}u + begin) * {{ inner }}u + c];
        for (var p = begin + local.y; p < end; p += {{ depth }}u) {
            let d = x[(z * {{ rows }}u + p) * {{ inner }}u + c] - shift;
            sum_1 += d;
            sum_2 = fma(d, d, sum_2);
        }
    }
    let t = local.y * {{ lanes }}u + local.x;
    part_1[t] = sum_1;
    part_2[t] = sum_2;
    for (var half = {{ depth // 2 }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local.y < half {
            part_1[t] += part_1[t + half * {{ lanes }}u];
            part_2[t] += part_2[t + half * {{ lanes }}u];
        }
    }
    if local.y == 0u && c < {{ inner }}u {
        let count = f32(end - begin);
        let centre = part_1[t] / count;
        let at = (z * {{ chunks }}u + chunk) * {{ 2 * inner }}u + c;
        y[at] = shift + centre;
        // Rounding may leave less than nothing, which becomes 0; max might take a NaN for it, a test of bits does not.
        let squares = part_2[t] - part_1[t] * centre;
        let least = select(squares, 0.0, bitcast<u32>(squares) - 0x80000001u < 0x7f800000u);
        y[at + {{ inner }}u] = least{{ " / count" if chunks == 1 }};
    }
}
