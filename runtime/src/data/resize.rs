//! Resizing with half-pixel centres: bilinear without antialiasing, and nearest.

/// For each output index of an axis: the two source indices and the weight of the second.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
    let step = from as f64 / to as f64;
    (0..to)
        .map(|d| {
            let s = ((d as f64 + 0.5) * step - 0.5).clamp(0.0, (from - 1) as f64);
            let i = s.floor();
            (i as usize, (i as usize + 1).min(from - 1), s - i)
        })
        .collect()
}

/// Bilinear interpolation with half-pixel centres, clamped at the border; computed in f64.
///
/// - Shapes: `[from[0] * from[1]] -> [to[0] * to[1]]`, rows first; no side may be 0.
/// - Source: the same as torch `bilinear, align_corners=False` and cv2.INTER_LINEAR on float.
pub fn bilinear(image: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let (down, across) = (taps(from[0], to[0]), taps(from[1], to[1]));
    let line = |y: usize| -> Vec<f64> {
        let l = &image[y * from[1]..(y + 1) * from[1]];
        let mix =
            |&(a, b, w): &(usize, usize, f64)| f64::from(l[a]) * (1.0 - w) + f64::from(l[b]) * w;
        across.iter().map(mix).collect()
    };
    let mut held: Option<(usize, Vec<f64>)> = None;
    let mut out = Vec::with_capacity(to[0] * to[1]);
    for (a, b, w) in down {
        let top = match held.take() {
            Some((y, l)) if y == a => l,
            _ => line(a),
        };
        let bottom = if b == a { top.clone() } else { line(b) };
        let mix = top
            .iter()
            .zip(&bottom)
            .map(|(t, u)| (t * (1.0 - w) + u * w) as f32);
        out.extend(mix);
        held = Some((b, bottom));
    }
    out
}

/// Nearest neighbour with half-pixel centres: source index ((2d + 1) * from) div (2 * to).
///
/// - Shapes: `[from[0] * from[1]] -> [to[0] * to[1]]`, rows first; no side may be 0.
/// - Source: the same as cv2.INTER_NEAREST_EXACT and torch `nearest-exact`.
pub fn nearest<T: Copy>(image: &[T], from: [usize; 2], to: [usize; 2]) -> Vec<T> {
    let source = |n: usize, m: usize| (0..m).map(move |d| (2 * d + 1) * n / (2 * m));
    let across: Vec<usize> = source(from[1], to[1]).collect();
    source(from[0], to[0])
        .flat_map(|y| across.iter().map(move |x| image[y * from[1] + x]))
        .collect()
}
