//! `matmul`: batched matrix products by the `gemm` crate.

use hqcc_compiler::ops;
use rayon::prelude::*;

use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;

/// Distances between rows and between columns of a `rows x columns` matrix given as it is or transposed.
fn strides(transposed: bool, rows: usize, columns: usize) -> [isize; 2] {
    if transposed {
        [1, rows as isize]
    } else {
        [columns as isize, 1]
    }
}

/// Multiply-adds from which one product is worth sharing out over threads.
const SHARED: usize = 1 << 18;

/// The product of a batch, which `y` is overwritten with or, with `add`, increased by.
fn product<T: Real>(
    op: &ops::Matmul,
    [batch, m, k, n]: [usize; 4],
    [a, b]: [&[T]; 2],
    y: &mut [T],
    add: bool,
) {
    assert!(a.len() == batch * m * k && b.len() == batch * k * n && y.len() == batch * m * n);
    let [[a_row, a_column], [b_row, b_column]] =
        [strides(op.transpose_a, m, k), strides(op.transpose_b, k, n)];
    let one = |at: usize, y: &mut [T], parallelism: gemm::Parallelism| {
        // SAFETY: each of the three matrices lies inside its slice, as asserted above.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                y.as_mut_ptr(),
                1,
                n as isize,
                add,
                a.as_ptr().add(at * m * k),
                a_column,
                a_row,
                b.as_ptr().add(at * k * n),
                b_column,
                b_row,
                if add { T::one() } else { T::zero() },
                T::one(),
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    if batch == 1 {
        let parallelism = if m * n * k < SHARED {
            gemm::Parallelism::None
        } else {
            gemm::Parallelism::Rayon(0)
        };
        one(0, y, parallelism);
    } else {
        // Threads take whole products: nothing to wait for between two of them.
        let each = (SHARED / (m * n * k).max(1)).max(1);
        y.par_chunks_mut(m * n)
            .with_min_len(each)
            .enumerate()
            .for_each(|(at, y)| one(at, y, gemm::Parallelism::None));
    }
}

fn extents<T>(call: &Call<'_, T>, op: &ops::Matmul) -> Result<[usize; 4], WrongOp> {
    op.extents(&call.types[0], &call.types[1])
        .map_err(|_| WrongOp)
}

/// The matrix product over the last two axes.
pub fn matmul<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Matmul>()?;
    let extents = extents(call, op)?;
    let inputs = [call.inputs[0], call.inputs[1]];
    product(op, extents, inputs, call.output, false);
    Ok(())
}

/// `matmul`, then `add` of a vector to each row; inputs `(a, b, vector)`.
pub fn matmul_add<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Matmul>()?;
    let extents = extents(call, op)?;
    let &[a, b, vector] = call.inputs else {
        return Err(WrongOp);
    };
    pieces(call.output, vector.len(), |_, piece| {
        for row in piece.chunks_exact_mut(vector.len()) {
            row.copy_from_slice(vector);
        }
    });
    product(op, extents, [a, b], call.output, true);
    Ok(())
}
