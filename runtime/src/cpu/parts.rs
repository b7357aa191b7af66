//! Sums cut into parts of their own, added in a fixed order.

use rayon::prelude::*;

use super::real::Real;
use super::scratch::with_scratch;
use super::shared::Shared;

/// Pieces of work to aim at: enough for the threads of a processor, whatever their number.
pub const PIECES: usize = 16;

/// Lets `fill` write `parts` arrays as long as `out` one after another, then adds them up into `out`.
pub fn in_parts<T: Real>(out: &mut [T], parts: usize, fill: impl FnOnce(Shared<'_, T>)) {
    const CHUNK: usize = 4096;
    if parts == 1 {
        fill(Shared::new(out));
        return;
    }
    let len = out.len();
    with_scratch(parts * len, |partial: &mut [T]| {
        fill(Shared::new(partial));
        let partial = &*partial;
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(at, out)| {
            let from = at * CHUNK;
            out.copy_from_slice(&partial[from..from + out.len()]);
            for part in 1..parts {
                let line = &partial[part * len + from..][..out.len()];
                out.iter_mut()
                    .zip(line)
                    .for_each(|(sum, &value)| *sum += value);
            }
        });
    });
}
