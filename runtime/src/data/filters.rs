//! Mean and median filters on one slice, defined to the bit: the mean mirrors the border without repeating its pixel,
//! the median repeats the border's pixel.

/// The position of index `i` of an axis of `n` after reflection at the outermost pixels (gfedcb|abcdefgh|gfedcba).
fn reflect(i: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

/// Sums of every `side` x `side` neighbourhood with reflected border, through `value`.
fn box_sums<T: Copy, S: Copy + Default + std::ops::AddAssign>(
    image: &[T],
    [rows, columns]: [usize; 2],
    side: usize,
    value: impl Fn(T) -> S,
) -> Vec<S> {
    let r = (side / 2) as isize;
    let mut across = vec![S::default(); rows * columns];
    let mut line = vec![S::default(); columns + side - 1];
    for (from, to) in image
        .chunks_exact(columns)
        .zip(across.chunks_exact_mut(columns))
    {
        for (i, v) in line.iter_mut().enumerate() {
            *v = value(from[reflect(i as isize - r, columns)]);
        }
        for k in 0..side {
            for (s, v) in to.iter_mut().zip(&line[k..]) {
                *s += *v;
            }
        }
    }
    let mut out = vec![S::default(); rows * columns];
    for (y, to) in out.chunks_exact_mut(columns).enumerate() {
        for k in 0..side {
            let from = reflect(y as isize + k as isize - r, rows) * columns;
            for (s, v) in to.iter_mut().zip(&across[from..from + columns]) {
                *s += *v;
            }
        }
    }
    out
}

/// Mean of every `side` x `side` neighbourhood of an 8-bit image: floor(sum / side^2 + 1/2).
///
/// - Shapes: `[rows * columns] -> [rows * columns]`; an odd `side`, 1 copies.
pub fn mean_u8(image: &[u8], shape: [usize; 2], side: usize) -> Vec<u8> {
    if side <= 1 || image.is_empty() {
        return image.to_vec();
    }
    let n = (side * side) as u32;
    let rounded: Vec<u8> = (0..=255 * n)
        .map(|s| ((2 * s + n) / (2 * n)) as u8)
        .collect();
    box_sums(image, shape, side, u32::from)
        .into_iter()
        .map(|s| rounded[s as usize])
        .collect()
}

/// Mean of every `side` x `side` neighbourhood, summed in f64 and rounded to f32.
///
/// - Shapes: `[rows * columns] -> [rows * columns]`; an odd `side`, 1 copies.
pub fn mean_f32(image: &[f32], shape: [usize; 2], side: usize) -> Vec<f32> {
    if side <= 1 || image.is_empty() {
        return image.to_vec();
    }
    let n = (side * side) as f64;
    box_sums(image, shape, side, f64::from)
        .into_iter()
        .map(|s| (s / n) as f32)
        .collect()
}

/// The image with its border pixels repeated `r` times outwards.
fn replicate<T: Copy>(image: &[T], [rows, columns]: [usize; 2], r: usize) -> Vec<T> {
    let mut out = Vec::with_capacity((rows + 2 * r) * (columns + 2 * r));
    for y in 0..rows + 2 * r {
        let line = &image[y.saturating_sub(r).min(rows - 1) * columns..][..columns];
        out.extend(std::iter::repeat_n(line[0], r));
        out.extend_from_slice(line);
        out.extend(std::iter::repeat_n(line[columns - 1], r));
    }
    out
}

/// Median of every `side` x `side` neighbourhood of an 8-bit image.
///
/// A histogram slides along the row (Huang, Yang, Tang 1979); the median moves by the few counts that changed.
///
/// - Shapes: `[rows * columns] -> [rows * columns]`; an odd `side`, 1 copies.
pub fn median_u8(image: &[u8], [rows, columns]: [usize; 2], side: usize) -> Vec<u8> {
    if side <= 1 || image.is_empty() {
        return image.to_vec();
    }
    let wide = columns + side - 1;
    let padded = replicate(image, [rows, columns], side / 2);
    let rank = (side * side / 2) as i32;
    let mut out = vec![0; rows * columns];
    for (y, to) in out.chunks_exact_mut(columns).enumerate() {
        let window = &padded[y * wide..(y + side) * wide];
        let mut counts = [0i32; 256];
        for line in window.chunks_exact(wide) {
            for v in &line[..side] {
                counts[usize::from(*v)] += 1;
            }
        }
        let mut median = 0usize;
        // Pixels of the neighbourhood below `median`.
        let mut below = 0;
        for x in 0..columns {
            if x > 0 {
                for line in window.chunks_exact(wide) {
                    let (old, new) = (usize::from(line[x - 1]), usize::from(line[x + side - 1]));
                    counts[old] -= 1;
                    counts[new] += 1;
                    below += i32::from(new < median) - i32::from(old < median);
                }
            }
            while below > rank {
                median -= 1;
                below -= counts[median];
            }
            while below + counts[median] <= rank {
                below += counts[median];
                median += 1;
            }
            to[x] = median as u8;
        }
    }
    out
}

/// Neighbourhoods that `median_network` treats side by side.
const LANES: usize = 16;

/// Median of every `side` x `side` neighbourhood of an image without NaN.
///
/// Forgetful selection: of a bit more than half of the values neither the least nor the greatest can be the median; drop
/// both, take in one more, and go on. No branch depends on a value, so neighbouring pixels go side by side.
///
/// - Shapes: `[rows * columns] -> [rows * columns]`; an odd `side`, 1 copies.
pub fn median_f32(image: &[f32], [rows, columns]: [usize; 2], side: usize) -> Vec<f32> {
    if side <= 1 || image.is_empty() {
        return image.to_vec();
    }
    let wide = columns + side - 1;
    let padded = replicate(image, [rows, columns], side / 2);
    let start = side * side / 2 + 2;
    let mut held = vec![[0f32; LANES]; start];
    let mut out = vec![0.0; rows * columns];
    for (y, to) in out.chunks_exact_mut(columns).enumerate() {
        for (chunk, to) in to.chunks_mut(LANES).enumerate() {
            let n = to.len();
            let load = |i: usize, v: &mut [f32; LANES]| {
                let at = (y + i / side) * wide + chunk * LANES + i % side;
                v[..n].copy_from_slice(&padded[at..at + n]);
            };
            for (i, v) in held.iter_mut().enumerate() {
                load(i, v);
            }
            let mut next = start;
            for count in (3..=start).rev() {
                outermost(&mut held[..count]);
                if count > 3 {
                    load(next, &mut held[0]);
                    next += 1;
                }
            }
            to.copy_from_slice(&held[1][..n]);
        }
    }
    out
}

/// Brings the least value of every lane to the front and the greatest to the back.
fn outermost(v: &mut [[f32; LANES]]) {
    let last = v.len() - 1;
    for i in 0..v.len() / 2 {
        exchange(v, i, last - i);
    }
    for i in 1..v.len().div_ceil(2) {
        exchange(v, 0, i);
    }
    for i in v.len() / 2..last {
        exchange(v, i, last);
    }
}

/// Puts the smaller of each lane to index `low` and the greater to index `high`.
#[inline(always)]
fn exchange(v: &mut [[f32; LANES]], low: usize, high: usize) {
    let (p, q) = (v[low], v[high]);
    v[low] = std::array::from_fn(|k| if p[k] < q[k] { p[k] } else { q[k] });
    v[high] = std::array::from_fn(|k| if p[k] < q[k] { q[k] } else { p[k] });
}
