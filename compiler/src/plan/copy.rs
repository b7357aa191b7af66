//! Kernels that only move bytes: joins along an axis and windows into a tensor.

use serde::Serialize;
use serde_json::json;

use super::{Groups, LowerError, Lowering, Operand};

/// Inputs that one joining kernel binds besides its output, within the default limit of eight buffers.
const INPUTS: usize = 7;

#[derive(Serialize)]
struct Part {
    begin: usize,
    end: usize,
    extent: usize,
}

#[derive(Serialize)]
struct Axis {
    to: usize,
    from: usize,
    offset: i64,
    stride: usize,
    checked: bool,
}

impl Lowering<'_> {
    /// Joins the inputs, seen as `[outer, extent]`, along their last axis.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn concat(
        &mut self,
        template: &str,
        outer: usize,
        extents: &[usize],
    ) -> Result<(), LowerError> {
        let total: usize = extents.iter().sum();
        let mut first = 0;
        for (chunk, some) in extents.chunks(INPUTS).enumerate() {
            let width: usize = some.iter().sum();
            let mut parts = Vec::new();
            let mut begin = 0;
            for &extent in some {
                parts.push(Part {
                    begin,
                    end: begin + extent,
                    extent,
                });
                begin += extent;
            }
            let names: Vec<_> = (0..some.len()).map(|at| format!("x{at}")).collect();
            let inputs = (chunk * INPUTS..).map(Operand::Input);
            let mut operands: Vec<_> = names.iter().map(String::as_str).zip(inputs).collect();
            operands.push(("y", Operand::Output));
            let groups = Groups::for_elements(outer * width);
            let constants = json!({
                "outer": outer, "total": total, "width": width, "first": first, "parts": parts, "groups_x": groups.x,
            });
            self.dispatch(template, constants, &operands, groups)?;
            first += width;
        }
        Ok(())
    }

    /// Copies a window: element d of the output is element `d + offset` of the input, 0 where there is none.
    /// The offsets are given by logical axis; both sides have the same layout.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn window(&mut self, template: &str, offsets: &[i64]) -> Result<(), LowerError> {
        let (x, y) = (self.input(0).clone(), self.output().clone());
        let order = y.memory_order();
        let strides = x.strides();
        let axes: Vec<_> = order
            .iter()
            .rev()
            .map(|&axis| {
                let (from, to, offset) = (x.shape[axis], y.shape[axis], offsets[axis]);
                let checked = offset < 0 || to as i64 + offset > from as i64;
                Axis {
                    to,
                    from,
                    offset,
                    stride: strides[axis],
                    checked,
                }
            })
            .collect();
        let extents = |ty: &crate::tensor_type::TensorType| -> Vec<_> {
            order.iter().map(|&axis| ty.shape[axis]).collect()
        };
        let shown: Vec<_> = order.iter().map(|&axis| offsets[axis]).collect();
        let checked = axes.iter().any(|axis| axis.checked);
        let constants = json!({
            "axes": axes, "checked": checked, "from": extents(&x), "to": extents(&y), "offsets": shown,
        });
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        self.per_element(template, y.elements(), &constants, &operands)
    }
}
