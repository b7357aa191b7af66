//! `displace`: channel groups moved along an axis.

use hqcc_compiler::ops;
use hqcc_compiler::ops::MapAxis;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;

/// Group `j` moved by `j - groups / 2` pixels, zeros where nothing comes from.
pub fn displace<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Displace>()?;
    let [_, c, h, w] = call.image(0)?;
    let size = op.group_size(c);
    let x = call.inputs[0];
    pieces(call.output, c, |start, piece| {
        for (index, y) in piece.chunks_exact_mut(c).enumerate() {
            let pixel = start / c + index;
            let (here, extent, step) = match op.axis {
                MapAxis::Height => (pixel / w % h, h, w),
                MapAxis::Width => (pixel % w, w, 1),
            };
            for (j, y) in y.chunks_mut(size).enumerate() {
                match here.checked_add_signed(-op.distance(j)) {
                    Some(from) if from < extent => {
                        let from = (pixel + from * step - here * step) * c + j * size;
                        y.copy_from_slice(&x[from..from + y.len()]);
                    }
                    _ => y.fill(T::zero()),
                }
            }
        }
    });
    Ok(())
}
