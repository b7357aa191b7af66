//! The gradient of maps that read each pixel with a weight of its row times a weight of its column.

use super::call::Call;
use super::parallel::pieces;
use super::real::Real;

/// Gives `dy`, the first input, back to the pixels that it was read from. `rows[i]` and `columns[j]` list the places of `dy`
/// that read row `i` and column `j`, with their weights.
///
/// - Shapes: `dy: [N, OH, OW, C]`, output `[N, H, W, C]`; the two lists of sizes are `[C, H, W]` and `[OH, OW]`.
pub fn spread<T: Real>(
    call: &mut Call<'_, T>,
    [c, h, w]: [usize; 3],
    [oh, ow]: [usize; 2],
    rows: &[Vec<(usize, T)>],
    columns: &[Vec<(usize, T)>],
) {
    let dy = call.inputs[0];
    pieces(call.output, w * c, |start, piece| {
        for (index, row) in piece.chunks_exact_mut(w * c).enumerate() {
            let index = start / (w * c) + index;
            let (n, i) = (index / h, index % h);
            row.fill(T::zero());
            for &(oi, p) in &rows[i] {
                let line = &dy[(n * oh + oi) * ow * c..][..ow * c];
                for (dx, readers) in row.chunks_exact_mut(c).zip(columns) {
                    for &(oj, q) in readers {
                        let weight = p * q;
                        for (dx, &dy) in dx.iter_mut().zip(&line[oj * c..(oj + 1) * c]) {
                            *dx += weight * dy;
                        }
                    }
                }
            }
        }
    });
}
