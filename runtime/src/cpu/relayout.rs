//! `relayout`: values in logical order under another shape and layout.

use super::call::{Call, WrongOp};
use super::real::Real;
use crate::tensor::{from_memory, to_memory};

/// `relayout` of a node.
pub fn relayout<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let from = call.types.first().ok_or(WrongOp)?;
    let logical = from_memory(from, call.inputs[0]);
    call.output.copy_from_slice(&to_memory(call.ty, &logical));
    Ok(())
}
