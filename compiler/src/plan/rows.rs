//! Kernels that give each row of a matrix to a few neighbouring invocations.

use serde_json::{Value, json};

use super::{Groups, LowerError, Lowering, Operand, merge};

/// Invocations of a workgroup.
const THREADS: usize = 256;

/// Elements of a row that one invocation takes, as long as the workgroup has invocations left.
const EACH: usize = 4;

/// Invocations that share a row.
fn lanes(columns: usize) -> usize {
    columns.div_ceil(EACH).next_power_of_two().min(THREADS)
}

impl Lowering<'_> {
    /// Runs a kernel that works row by row on an input of this shape: the last axis of tokens, the channels of each
    /// pixel of a map. The template includes `shared/rows`.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`]; a first input without rows.
    pub fn rows(
        &mut self,
        template: &str,
        constants: &Value,
        operands: &[(&str, Operand)],
    ) -> Result<(), LowerError> {
        let [rows, columns] = self
            .input(0)
            .rows()
            .map_err(|error| self.shape_error(error))?;
        let lanes = lanes(columns);
        let depth = THREADS / lanes;
        let groups = Groups::for_count(rows.div_ceil(depth));
        let extents = json!({
            "rows": rows, "columns": columns, "lanes": lanes, "depth": depth, "groups_x": groups.x,
        });
        self.dispatch(template, merge(extents, constants), operands, groups)
    }
}

#[cfg(test)]
mod tests {
    use super::lanes;

    #[test]
    fn wide_rows_take_a_workgroup_and_narrow_ones_share_it() {
        assert_eq!(
            [1, 4, 5, 256, 768, 70_000].map(lanes),
            [1, 1, 2, 64, 256, 256]
        );
    }
}
