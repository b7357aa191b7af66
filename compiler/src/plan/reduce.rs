//! Sums over channels and axes, in two stages of fixed order.

use serde_json::{Value, json};

use super::{Groups, LowerError, Lowering, Operand, merge};

/// How the sum over the middle of `[outer, rows, inner]` is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
struct Share {
    outer: usize,
    rows: usize,
    inner: usize,
    /// Columns of a workgroup.
    lanes: usize,
    /// Rows of a workgroup that are added side by side.
    depth: usize,
    /// Workgroups across the columns.
    blocks: usize,
    /// Rows that one workgroup adds.
    chunk: usize,
    /// Workgroups along the rows.
    chunks: usize,
}

/// Rows that one invocation adds before the tree, at least: short runs keep rounding errors small.
const RUN: usize = 64;

/// Chunks at most: what the second stage adds.
const CHUNKS: usize = 1024;

/// Columns of a workgroup that reads much: a full line of memory and more.
const WIDE: usize = 64;

/// Columns of a workgroup of the last stage.
const NARROW: usize = 16;

impl Share {
    fn new(outer: usize, rows: usize, inner: usize) -> Self {
        let run = |depth: usize| RUN.max(rows.div_ceil(depth * CHUNKS));
        Self::with(outer, rows, inner, WIDE, run)
    }

    /// The last stage: all rows in one chunk, on narrow workgroups, since there are few columns to share out.
    fn last(outer: usize, rows: usize, inner: usize) -> Self {
        Self::with(outer, rows, inner, NARROW, |_| rows)
    }

    fn with(
        outer: usize,
        rows: usize,
        inner: usize,
        most_lanes: usize,
        run: impl Fn(usize) -> usize,
    ) -> Self {
        let lanes = inner.next_power_of_two().min(most_lanes);
        let depth = rows.next_power_of_two().min(256 / lanes);
        let chunk = (depth * run(depth)).clamp(1, rows.max(1));
        Self {
            outer,
            rows,
            inner,
            lanes,
            depth,
            blocks: inner.div_ceil(lanes),
            chunk,
            chunks: rows.div_ceil(chunk).max(1),
        }
    }

    fn groups(&self) -> Groups {
        Groups::for_count(self.blocks * self.chunks * self.outer)
    }

    fn constants(&self, more: &Value) -> Value {
        merge(
            merge(json!({ "groups_x": self.groups().x }), &json!(self)),
            more,
        )
    }
}

impl Lowering<'_> {
    /// Sums over the middle of `[outer, rows, inner]`: the template computes `sums` values per row and column, and
    /// `to` gets them as `[outer, sums, inner]`. The template's output is called `y`, its first stage may be the last.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    #[allow(
        clippy::too_many_arguments,
        reason = "the extents of one reduction, each by its own name"
    )]
    pub fn reduce(
        &mut self,
        template: &str,
        [outer, rows, inner]: [usize; 3],
        sums: usize,
        constants: &Value,
        operands: &[(&str, Operand)],
        to: Operand,
    ) -> Result<(), LowerError> {
        let first = Share::new(outer, rows, inner);
        let parts = if first.chunks == 1 {
            to
        } else {
            self.scratch(outer * first.chunks * sums * inner)
        };
        let mut all = operands.to_vec();
        all.push(("y", parts));
        self.dispatch(template, first.constants(constants), &all, first.groups())?;
        if first.chunks > 1 {
            let second = Share::last(outer, first.chunks, sums * inner);
            let operands = [("x", parts), ("y", to)];
            self.dispatch(
                "reduce_sum",
                second.constants(&json!({})),
                &operands,
                second.groups(),
            )?;
        }
        Ok(())
    }

    /// Mean and biased variance over the middle of `[outer, rows, inner]`, as `[outer, 2, inner]`.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn moments(
        &mut self,
        [outer, rows, inner]: [usize; 3],
        from: Operand,
        to: Operand,
    ) -> Result<(), LowerError> {
        let first = Share::new(outer, rows, inner);
        let parts = if first.chunks == 1 {
            to
        } else {
            self.scratch(outer * first.chunks * 2 * inner)
        };
        let operands = [("x", from), ("y", parts)];
        self.dispatch(
            "batch_stats",
            first.constants(&json!({})),
            &operands,
            first.groups(),
        )?;
        if first.chunks > 1 {
            let last = Share::last(outer, first.chunks, inner);
            let join = Share {
                lanes: last.lanes,
                depth: last.depth,
                blocks: last.blocks,
                ..first
            };
            let operands = [("x", parts), ("y", to)];
            let groups = Groups::for_count(join.blocks * outer);
            self.dispatch(
                "shared/batch_stats_join",
                merge(json!({ "groups_x": groups.x }), &join.constants(&json!({}))),
                &operands,
                groups,
            )?;
        }
        Ok(())
    }

    /// Sums over the marked axes of a tensor whose extents are given in memory order, slowest first: one reduction
    /// per run of neighbouring marked axes.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn reduce_axes(&mut self, axes: &[(usize, bool)]) -> Result<(), LowerError> {
        let mut runs: Vec<(usize, bool)> = Vec::new();
        for &(extent, marked) in axes.iter().filter(|(extent, _)| *extent != 1) {
            match runs.last_mut() {
                Some(run) if run.1 == marked => run.0 *= extent,
                _ => runs.push((extent, marked)),
            }
        }
        if !runs.iter().any(|(_, marked)| *marked) {
            return self.copy(runs.iter().map(|(extent, _)| extent).product());
        }
        let mut from = Operand::Input(0);
        while let Some(at) = runs.iter().rposition(|(_, marked)| *marked) {
            let outer: usize = runs[..at].iter().map(|(extent, _)| extent).product();
            let inner: usize = runs[at + 1..].iter().map(|(extent, _)| extent).product();
            let rows = runs.remove(at).0;
            let last = !runs.iter().any(|(_, marked)| *marked);
            let to = if last {
                Operand::Output
            } else {
                self.scratch(outer * inner)
            };
            self.reduce(
                "reduce_sum",
                [outer, rows, inner],
                1,
                &json!({}),
                &[("x", from)],
                to,
            )?;
            from = to;
        }
        Ok(())
    }
}
