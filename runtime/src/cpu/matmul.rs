//! `matmul`: batched matrix products by the `gemm` crate.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::real::Real;

/// Distances between rows and between columns of a `rows x columns` matrix given as it is or transposed.
fn strides(transposed: bool, rows: usize, columns: usize) -> [isize; 2] {
    if transposed {
        [1, rows as isize]
    } else {
        [columns as isize, 1]
    }
}

/// The matrix product over the last two axes.
pub fn matmul<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Matmul>()?;
    let (a, b) = (call.inputs[0], call.inputs[1]);
    let [batch, m, k, n] = op
        .extents(&call.types[0], &call.types[1])
        .map_err(|_| WrongOp)?;
    assert!(
        a.len() == batch * m * k && b.len() == batch * k * n && call.output.len() == batch * m * n
    );
    let [[a_row, a_column], [b_row, b_column]] =
        [strides(op.transpose_a, m, k), strides(op.transpose_b, k, n)];
    let parallelism = if m * n * k < 1 << 18 {
        gemm::Parallelism::None
    } else {
        gemm::Parallelism::Rayon(0)
    };
    for at in 0..batch {
        // SAFETY: each of the three matrices lies inside its slice, as asserted above.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                call.output.as_mut_ptr().add(at * m * n),
                1,
                n as isize,
                false,
                a.as_ptr().add(at * m * k),
                a_column,
                a_row,
                b.as_ptr().add(at * k * n),
                b_column,
                b_row,
                T::zero(),
                T::one(),
                false,
                false,
                false,
                parallelism,
            );
        }
    }
    Ok(())
}
