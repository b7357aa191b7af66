// lpp_grad_parameters: per row of {{ used }} amplitudes, sum p dy, then the sum of dy where bit j of the index is 1 for each j, then
// sum dy: {{ width }} sums. CPU twin: cpu::lpp_grad_parameters. One workgroup per row; a shared set adds its rows afterwards.
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
var<workgroup> part: array<f32, 64>;

@compute @workgroup_size(64)
fn lpp_grad_parameters(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let row = group.y * {{ groups_x }}u + group.x;
    if row >= {{ rows }}u { return; }
    for (var k = 0u; k < {{ width }}u; k++) {
        var sum = 0.0;
        for (var i = t; i < {{ used }}u; i += 64u) {
            let g = dy[row * {{ used }}u + i];
            if k == 0u { sum += g * p[row * {{ used }}u + i]; }
            else if k == {{ width - 1 }}u || ((i >> (k - 1u)) & 1u) == 1u { sum += g; }
        }
        part[t] = sum;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if t < half { part[t] += part[t + half]; }
        }
        if t == 0u { y[row * {{ width }}u + k] = part[0]; }
        workgroupBarrier();
    }
}
