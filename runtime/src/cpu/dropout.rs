//! `dropout`, on counter-based random numbers.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use crate::random::philox4x32_lanes;

/// Philox blocks that are drawn at once: as many as fill a few registers.
const LANES: usize = 16;

/// The two words of a key that came as four numbers of 16 bits.
fn key_of<T: Real>(numbers: &[T]) -> [u32; 2] {
    let word = |at: usize| {
        let [low, high] = [0, 1].map(|half| numbers[at + half].f64() as u32);
        low | high << 16
    };
    [word(0), word(2)]
}

/// `scale x` where the element's random word is at least the threshold, else 0.
pub fn dropout<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Dropout>()?;
    let (x, key) = (call.inputs[0], key_of(call.inputs[1]));
    let (threshold, scale) = (op.threshold(), T::of(op.scale()));
    pieces(call.output, 4 * LANES, |start, piece| {
        let x = &x[start..start + piece.len()];
        for (index, (y, x)) in piece
            .chunks_mut(4 * LANES)
            .zip(x.chunks(4 * LANES))
            .enumerate()
        {
            let first = (start / 4 + index * LANES) as u32;
            let blocks = std::array::from_fn(|lane| first + lane as u32);
            let counter = [
                blocks,
                [0; LANES],
                [op.stream[0]; LANES],
                [op.stream[1]; LANES],
            ];
            let words = philox4x32_lanes(counter, key);
            let mut factors = [T::zero(); 4 * LANES];
            for (lane, factors) in factors.chunks_exact_mut(4).enumerate() {
                for (factor, words) in factors.iter_mut().zip(&words) {
                    *factor = if words[lane] >= threshold {
                        scale
                    } else {
                        T::zero()
                    };
                }
            }
            for ((y, &x), &factor) in y.iter_mut().zip(x).zip(&factors) {
                *y = x * factor;
            }
        }
    });
    Ok(())
}
