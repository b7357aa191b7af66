// The tiled matrix product C[m, n] = sum over k of A[m, k] B[k, n], for every z.
// The including kernel defines load_a, load_b (four elements each, zero outside) and store_c (four columns).
// One workgroup makes a tile of {{ g.bm }} x {{ g.bn }}; one invocation makes {{ g.tm }} x {{ g.tn }} of it in registers. Tiles of A and B pass
// through workgroup memory in the order in which they come: as vectors along k (one row of A or column of B each) or along
// m or n. The vectors of the next step are fetched while the current one is computed. The rows and columns of an
// invocation come in runs of four, spread over the tile, so that neighbours read neighbouring vectors; one vector of
// padding per line keeps those on different banks.
{% set rows = g.bm // g.tm %}
{% set columns = g.bn // g.tn %}
{% set quads = g.bk // 4 %}
{% set pitch_a = quads + 1 if g.a_along_k else g.bm // 4 + 1 %}
{% set pitch_b = quads + 1 if g.b_along_k else g.bn // 4 + 1 %}
var<workgroup> tile_a: array<vec4<f32>, {{ pitch_a * (g.bm if g.a_along_k else g.bk) }}>;
var<workgroup> tile_b: array<vec4<f32>, {{ pitch_b * (g.bn if g.b_along_k else g.bk) }}>;

{% macro units(along_k, width) %}{{ width * quads if along_k else width // 4 * g.bk }}{% endmacro %}
{% macro declare(name, along_k, width) %}
{% for first in range(0, units(along_k, width) | int, g.threads) %}
    var {{ name }}{{ loop.index0 }} = vec4<f32>();
{% endfor %}
{% endmacro %}
{% macro fetch(name, load, along_k, origin, width, k) %}
{% for first in range(0, units(along_k, width) | int, g.threads) %}
{% set unit = "(t + " ~ first ~ "u)" if first > 0 else "t" %}
    {% if first + g.threads > units(along_k, width) | int %}if {{ unit }} < {{ units(along_k, width) }}u { {% endif %}
{% if along_k %}
{{ name }}{{ loop.index0 }} = {{ load }}(z, {{ origin }} + {{ unit }} / {{ quads }}u, {{ k }} + {{ unit }} % {{ quads }}u * 4u);
{%- else %}
{{ name }}{{ loop.index0 }} = {{ load }}(z, {{ origin }} + {{ unit }} % {{ width // 4 }}u * 4u, {{ k }} + {{ unit }} / {{ width // 4 }}u);
{%- endif %}
{% if first + g.threads > units(along_k, width) | int %} }{% endif %}

{% endfor %}
{% endmacro %}
{% macro put(name, tile, pitch, along_k, width, spread) %}
{% for first in range(0, units(along_k, width) | int, g.threads) %}
{% set unit = "(t + " ~ first ~ "u)" if first > 0 else "t" %}
        {% if first + g.threads > units(along_k, width) | int %}if {{ unit }} < {{ units(along_k, width) }}u { {% endif %}
{% if along_k and spread %}
{{ tile }}[({{ unit }} / {{ quads }}u % 4u * {{ width // 4 }}u + {{ unit }} / {{ 4 * quads }}u) * {{ pitch }}u + {{ unit }} % {{ quads }}u] = {{ name }}{{ loop.index0 }};
{%- elif along_k %}
{{ tile }}[{{ unit }} / {{ quads }}u * {{ pitch }}u + {{ unit }} % {{ quads }}u] = {{ name }}{{ loop.index0 }};
{%- else %}
{{ tile }}[{{ unit }} / {{ width // 4 }}u * {{ pitch }}u + {{ unit }} % {{ width // 4 }}u] = {{ name }}{{ loop.index0 }};
{%- endif %}
{% if first + g.threads > units(along_k, width) | int %} }{% endif %}

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
{% for j in range(g.tn if g.b_along_k else g.tn // 4) %}
    var c_{{ r }}_{{ j }} = {{ "0.0" if g.b_along_k else "vec4<f32>()" }};
{% endfor %}
{% endfor %}
    let begin = split * {{ g.k_chunk }}u;
    let end = min(begin + {{ g.k_chunk }}u, {{ g.k }}u);
{{ declare("next_a", g.a_along_k, g.bm) }}
{{ declare("next_b", g.b_along_k, g.bn) }}
{{ fetch("next_a", "load_a", g.a_along_k, "m0", g.bm, "begin") }}
{{ fetch("next_b", "load_b", g.b_along_k, "n0", g.bn, "begin") }}
    for (var k0 = begin; k0 < end; k0 += {{ g.bk }}u) {
{{ put("next_a", "tile_a", pitch_a, g.a_along_k, g.bm, false) }}
{{ put("next_b", "tile_b", pitch_b, g.b_along_k, g.bn, true) }}
        workgroupBarrier();
        // Past the end this fetches zeros or what nobody uses.
        let k1 = k0 + {{ g.bk }}u;
{{ fetch("next_a", "load_a", g.a_along_k, "m0", g.bm, "k1") }}
{{ fetch("next_b", "load_b", g.b_along_k, "n0", g.bn, "k1") }}
        for (var q = 0u; q < {{ quads }}u; q++) {
{% if g.b_along_k %}
{% for n in range(g.tn) %}
            let b{{ n }} = tile_b[({{ n % 4 * (g.bn // 4) }}u + column + {{ n // 4 * columns }}u) * {{ pitch_b }}u + q];
{% endfor %}
{% else %}
{% for kk in range(4) %}
{% for j in range(g.tn // 4) %}
            let b{{ kk }}_{{ j }} = tile_b[(q * 4u + {{ kk }}u) * {{ pitch_b }}u + column + {{ j * columns }}u];
{% endfor %}
{% endfor %}
{% endif %}
{% for i in range(g.tm // 4) %}
{% if not g.a_along_k %}
{% for kk in range(4) %}
            let a{{ i }}_{{ kk }} = tile_a[(q * 4u + {{ kk }}u) * {{ pitch_a }}u + row + {{ i * rows }}u];
{% endfor %}
{% endif %}
{% for rr in range(4) %}
{% set r = i * 4 + rr %}
{% if g.a_along_k %}
            let a{{ r }} = tile_a[((row + {{ i * rows }}u) * 4u + {{ rr }}u) * {{ pitch_a }}u + q];
{% endif %}
{% for kk in range(4) %}
{% set a = "a" ~ r ~ "[" ~ kk ~ "]" if g.a_along_k else "a" ~ i ~ "_" ~ kk ~ "[" ~ rr ~ "]" %}
{% if g.b_along_k %}
{% for n in range(g.tn) %}
            c_{{ r }}_{{ n }} = fma({{ a }}, b{{ n }}[{{ kk }}], c_{{ r }}_{{ n }});
{% endfor %}
{% else %}
{% for j in range(g.tn // 4) %}
            c_{{ r }}_{{ j }} = fma(vec4<f32>({{ a }}), b{{ kk }}_{{ j }}, c_{{ r }}_{{ j }});
{% endfor %}
{% endif %}
{% endfor %}
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
{% if g.b_along_k %}
            let v{{ j }} = vec4<f32>(c_{{ r }}_{{ 4 * j }}, c_{{ r }}_{{ 4 * j + 1 }}, c_{{ r }}_{{ 4 * j + 2 }}, c_{{ r }}_{{ 4 * j + 3 }});
            store_c(z, split, m, n0 + (column + {{ j * columns }}u) * 4u, v{{ j }});
{% else %}
            store_c(z, split, m, n0 + (column + {{ j * columns }}u) * 4u, c_{{ r }}_{{ j }});
{% endif %}
{% endfor %}
        }
    }
{% endfor %}
}
