// running_average: state = (1 - momentum) state + momentum factor stats[row], in place. CPU twin: cpu::running_average.
@group(0) @binding(0) var<storage, read_write> state: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;

@compute @workgroup_size(256)
fn running_average(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    state[i] = {{ 1.0 - momentum }} * state[i] + {{ momentum * factor }} * stats[{{ row * n }}u + i];
}
