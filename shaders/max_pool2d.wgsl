// max_pool2d: y = the largest x of each window, padding left out; what is no number is the largest. CPU twin: cpu::max_pool2d.
// WGSL lets max take it that no operand is NaN, so the largest bits without their sign are kept beside: above those of infinity
// they are a NaN.
// One invocation per output element, channels fastest.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn max_pool2d(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ p.c }}u;
    let ox = i / {{ p.c }}u % {{ p.ow }}u;
    let line = i / {{ p.c * p.ow }}u;
    let oy = line % {{ p.oh }}u;
    let image = line / {{ p.oh }}u;
    var best = -3.4028234e38;
    var filled = false;
    var bits = 0u;
{% for ky in range(p.kh) %}
{% for kx in range(p.kw) %}
    {
        let iy = oy * {{ p.sh }}u + {{ ky }}u - {{ p.ph }}u;
        let ix = ox * {{ p.sw }}u + {{ kx }}u - {{ p.pw }}u;
        if iy < {{ p.h }}u && ix < {{ p.w }}u {
            let value = x[((image * {{ p.h }}u + iy) * {{ p.w }}u + ix) * {{ p.c }}u + ch];
            best = select(value, max(best, value), filled);
            filled = true;
            bits = max(bits, bitcast<u32>(value) & 0x7fffffffu);
        }
    }
{% endfor %}
{% endfor %}
    y[i] = select(best, bitcast<f32>(bits), bits > 0x7f800000u);
}
