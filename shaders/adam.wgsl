// adam: one step of Adam or AdamW in place, schedule = [lr, 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t)]:
// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, w -= lr schedule[1] m / (sqrt(v) schedule[2] + eps).
// CPU twin: cpu::adam. One invocation per element.
@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> m: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> schedule: array<f32>;

@compute @workgroup_size(256)
fn adam(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    var weight = w[i];
    var grad = g[i];
{% if decoupled %}
    weight -= schedule[0] * {{ weight_decay }} * weight;
{% elif weight_decay != 0.0 %}
    grad += {{ weight_decay }} * weight;
{% endif %}
    let first = {{ beta1 }} * m[i] + {{ 1.0 - beta1 }} * grad;
    let second = {{ beta2 }} * v[i] + {{ 1.0 - beta2 }} * grad * grad;
    m[i] = first;
    v[i] = second;
    w[i] = weight - schedule[0] * schedule[1] * first / (sqrt(second) * schedule[2] + {{ eps }});
}
