// A convolution in which every channel is a group of its own{{ ", transposed" if transposed }}. CPU twin: cpu::depthwise.
{% if transposed %}
// y[n, iy, ix, ch] = bias[ch] + sum over (ky, kx) of x[n, oy, ox, ch] w[ky, kx, ch] where oy sh + ky dh - ph = iy, and so for
// the columns; h and w belong to the convolution's input (here y), oh and ow to its output (here x).
{% else %}
// y[n, oy, ox, ch] = bias[ch] + sum over (ky, kx) of x[n, oy sh + ky dh - ph, ox sw + kx dw - pw, ch] w[ky, kx, ch].
{% endif %}
// One invocation per element of y, channels fastest.
{% set rows = c.h if transposed else c.oh %}
{% set columns = c.w if transposed else c.ow %}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
{% if bias %}
@group(0) @binding(3) var<storage, read> bias: array<f32>;
{% endif %}

@compute @workgroup_size(256)
fn depthwise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ c.groups }}u;
    let column = i / {{ c.groups }}u % {{ columns }}u;
    let line = i / {{ c.groups * columns }}u;
    let row = line % {{ rows }}u;
    let image = line / {{ rows }}u;
    var sum = {{ "bias[ch]" if bias else "0.0" }};
{% for ky in range(c.kh) %}
{% for kx in range(c.kw) %}
    {
        // A row above the image wraps to a huge number, so one comparison checks both edges.
{% if transposed %}
        let ty = row + {{ c.ph }}u - {{ ky * c.dh }}u;
        let tx = column + {{ c.pw }}u - {{ kx * c.dw }}u;
        let sy = ty / {{ c.sh }}u;
        let sx = tx / {{ c.sw }}u;
        if sy < {{ c.oh }}u && sx < {{ c.ow }}u && sy * {{ c.sh }}u == ty && sx * {{ c.sw }}u == tx {
            sum = fma(x[((image * {{ c.oh }}u + sy) * {{ c.ow }}u + sx) * {{ c.groups }}u + ch], w[{{ (ky * c.kw + kx) * c.groups }}u + ch], sum);
        }
{% else %}
        let sy = row * {{ c.sh }}u + {{ ky * c.dh }}u - {{ c.ph }}u;
        let sx = column * {{ c.sw }}u + {{ kx * c.dw }}u - {{ c.pw }}u;
        if sy < {{ c.h }}u && sx < {{ c.w }}u {
            sum = fma(x[((image * {{ c.h }}u + sy) * {{ c.w }}u + sx) * {{ c.groups }}u + ch], w[{{ (ky * c.kw + kx) * c.groups }}u + ch], sum);
        }
{% endif %}
    }
{% endfor %}
{% endfor %}
    y[i] = sum;
}
