// sgd: one step of gradient descent with momentum in place: m = momentum m + g, w -= schedule[0] m.
// CPU twin: cpu::sgd. One invocation per element.
@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> m: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> schedule: array<f32>;

@compute @workgroup_size(256)
fn sgd(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let grad = g[i]{{ " + " ~ weight_decay ~ " * w[i]" if weight_decay != 0.0 }};
    let moment = {{ momentum }} * m[i] + grad;
    m[i] = moment;
    w[i] -= schedule[0] * {{ "(grad + " ~ momentum ~ " * moment)" if nesterov else "moment" }};
}
