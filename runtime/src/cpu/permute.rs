//! `permute`: axes in another order.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;

/// Axis `k` of the output is axis `axes[k]` of the input. Trailing axes that stay are moved in one piece.
pub fn permute<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let axes = &call.op::<ops::Permute>()?.axes;
    let (shape, strides) = (&call.ty.shape, call.types[0].strides());
    let moved = (0..axes.len())
        .rposition(|k| axes[k] != k)
        .map_or(0, |k| k + 1);
    let run: usize = shape[moved..].iter().product();
    let x = call.inputs[0];
    let from = |mut index: usize| {
        let mut at = 0;
        for k in (0..moved).rev() {
            at += index % shape[k] * strides[axes[k]];
            index /= shape[k];
        }
        at
    };
    pieces(call.output, run, |start, piece| {
        for (index, y) in piece.chunks_exact_mut(run).enumerate() {
            let at = from(start / run + index);
            y.copy_from_slice(&x[at..at + run]);
        }
    });
    Ok(())
}
