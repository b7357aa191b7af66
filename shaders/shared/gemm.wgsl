// The tiled matrix product C[m, n] = sum over k of A[m, k] B[k, n], for every z.
// The including kernel defines load_a, load_b (four elements each, zero outside) and store_c (four columns).
// One workgroup makes a tile of {{ g.bm }} x {{ g.bn }}; one invocation makes {{ g.tm }} x {{ g.tn }} of it in registers. Tiles of A and B pass
// through workgroup memory, k first, with one vector of padding per row against bank conflicts. The rows (columns) of
// an invocation come in runs of four, spread over the tile, so that neighbours read neighbouring vectors.
{% set rows = g.bm // g.tm %}
{% set columns = g.bn // g.tn %}
{% set pitch_a = g.bm // 4 + 1 %}
{% set pitch_b = g.bn // 4 + 1 %}
var<workgroup> tile_a: array<vec4<f32>, {{ g.bk * pitch_a }}>;
var<workgroup> tile_b: array<vec4<f32>, {{ g.bk * pitch_b }}>;

{% macro fill(tile, pitch, load, along_k, origin, width) %}
{% set units = width // 4 * (g.bk // 4 if along_k else g.bk) %}
{% for first in range(0, units, g.threads) %}
        {% if first + g.threads > units %}if t < {{ units - first }}u {% endif %}{
            let unit = t + {{ first }}u;
{% if along_k %}
            let kq = unit % {{ g.bk // 4 }}u;
            let q = unit / {{ g.bk // 4 }}u;
{% for r in range(4) %}
            let r{{ r }} = {{ load }}(z, {{ origin }} + q * 4u + {{ r }}u, k0 + kq * 4u);
{% endfor %}
{% for c in range(4) %}
            {{ tile }}[(kq * 4u + {{ c }}u) * {{ pitch }}u + q] = vec4<f32>(r0[{{ c }}], r1[{{ c }}], r2[{{ c }}], r3[{{ c }}]);
{% endfor %}
{% else %}
            let q = unit % {{ width // 4 }}u;
            let k = unit / {{ width // 4 }}u;
            {{ tile }}[k * {{ pitch }}u + q] = {{ load }}(z, {{ origin }} + q * 4u, k0 + k);
{% endif %}
        }
{% endfor %}
{% endmacro %}
@compute @workgroup_size({{ g.threads }})
fn {{ entry }}(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let tile = group.y * {{ g.groups_x }}u + group.x;
    if tile >= {{ g.tiles_m * g.tiles_n }}u { return; }
    let m0 = tile / {{ g.tiles_n }}u * {{ g.bm }}u;
    let n0 = tile % {{ g.tiles_n }}u * {{ g.bn }}u;
    let split = group.z % {{ g.splits }}u;
    let z = group.z / {{ g.splits }}u;
    let row = t / {{ columns }}u;
    let column = t % {{ columns }}u;
{% for r in range(g.tm) %}
{% for j in range(g.tn // 4) %}
    var c_{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}
    let begin = split * {{ g.k_chunk }}u;
    let end = min(begin + {{ g.k_chunk }}u, {{ g.k }}u);
    for (var k0 = begin; k0 < end; k0 += {{ g.bk }}u) {
{{ fill("tile_a", pitch_a, "load_a", g.a_along_k, "m0", g.bm) }}
{{ fill("tile_b", pitch_b, "load_b", g.b_along_k, "n0", g.bn) }}
        workgroupBarrier();
        for (var k = 0u; k < {{ g.bk }}u; k++) {
{% for i in range(g.tm // 4) %}
            let a{{ i }} = tile_a[k * {{ pitch_a }}u + row + {{ i * rows }}u];
{% endfor %}
{% for j in range(g.tn // 4) %}
            let b{{ j }} = tile_b[k * {{ pitch_b }}u + column + {{ j * columns }}u];
{% endfor %}
{% for r in range(g.tm) %}
{% for j in range(g.tn // 4) %}
            c_{{ r }}_{{ j }} = fma(vec4<f32>(a{{ r // 4 }}[{{ r % 4 }}]), b{{ j }}, c_{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
        }
        workgroupBarrier();
    }
{% for r in range(g.tm) %}
    {
        let m = m0 + (row + {{ r // 4 * rows }}u) * 4u + {{ r % 4 }}u;
        if m < {{ g.m }}u {
{% for j in range(g.tn // 4) %}
            store_c(z, split, m, n0 + (column + {{ j * columns }}u) * 4u, c_{{ r }}_{{ j }});
{% endfor %}
        }
    }
{% endfor %}
}
