// max_pool2d_grad: dx = sum of dy over the windows whose first largest element (in row-major order) this is; in a window with
// elements that are no numbers, the last of those is.
// CPU twin: cpu::max_pool2d_grad. One invocation per input element: it looks at every window that holds it.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

// By bits, since WGSL lets comparisons take it that no operand is NaN.
fn is_nan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }

@compute @workgroup_size(256)
fn max_pool2d_grad(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let i = (group.y * {{ groups_x }}u + group.x) * 256u + t;
    if i >= {{ n }}u { return; }
    let ch = i % {{ p.c }}u;
    let ix = i / {{ p.c }}u % {{ p.w }}u;
    let line = i / {{ p.c * p.w }}u;
    let iy = line % {{ p.h }}u;
    let image = line / {{ p.h }}u;
    let value = x[i];
    let strange = is_nan(value);
    var sum = 0.0;
    // Windows oy with oy sh - ph <= iy < oy sh - ph + kh.
    let y_first = (max(iy + {{ p.ph + p.sh }}u, {{ p.kh }}u) - {{ p.kh }}u) / {{ p.sh }}u;
    let y_last = min((iy + {{ p.ph }}u) / {{ p.sh }}u, {{ p.oh - 1 }}u);
    let x_first = (max(ix + {{ p.pw + p.sw }}u, {{ p.kw }}u) - {{ p.kw }}u) / {{ p.sw }}u;
    let x_last = min((ix + {{ p.pw }}u) / {{ p.sw }}u, {{ p.ow - 1 }}u);
    for (var oy = y_first; oy <= y_last; oy++) {
        for (var ox = x_first; ox <= x_last; ox++) {
            var chosen = true;
            for (var ky = 0u; ky < {{ p.kh }}u; ky++) {
                for (var kx = 0u; kx < {{ p.kw }}u; kx++) {
                    let wy = oy * {{ p.sh }}u + ky - {{ p.ph }}u;
                    let wx = ox * {{ p.sw }}u + kx - {{ p.pw }}u;
                    if wy < {{ p.h }}u && wx < {{ p.w }}u {
                        let other = x[((image * {{ p.h }}u + wy) * {{ p.w }}u + wx) * {{ p.c }}u + ch];
                        let before = wy < iy || (wy == iy && wx < ix);
                        let behind = wy > iy || (wy == iy && wx > ix);
                        let larger = other > value || (before && other == value);
                        if select(larger && !strange, behind || !strange, is_nan(other)) { chosen = false; }
                    }
                }
            }
            if chosen { sum += dy[((image * {{ p.oh }}u + oy) * {{ p.ow }}u + ox) * {{ p.c }}u + ch]; }
        }
    }
    dx[i] = sum;
}
