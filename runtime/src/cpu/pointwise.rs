//! Convolutions of a 1x1 kernel: matrix products of pixels by channels, by the `gemm` crate.

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::parallel::pieces;
use super::parts::in_parts;
use super::real::Real;

/// Least pixels whose sum one part of a weight gradient holds: fewer would cost more to add up than they save.
const PART: usize = 1024;
/// Most parts of a weight gradient: each takes memory for a whole gradient.
const PARTS: usize = 8;
/// Weights from which on the channels alone give the threads of `gemm` enough pieces of work, so that no pixels are cut.
const MANY: usize = 1 << 17;

/// Whether a convolution is a matrix product.
pub fn suits(shape: &ConvShape) -> bool {
    shape.kernel == [1, 1]
        && shape.stride == [1, 1]
        && shape.padding == [0, 0]
        && shape.groups == 1
        && shape.out_channels > 1
}

/// Whether its data gradient is one that gains by it: turning the weight costs more than it saves where it is wide.
pub fn suits_grad_input(shape: &ConvShape) -> bool {
    suits(shape) && shape.out_channels <= shape.in_channels
}

/// A matrix in memory: distances between its rows and between its columns.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    values: &'a [T],
    row: usize,
    column: usize,
}

/// `c = a b`, or onto what `c` holds; `c` is `m x n`, row by row.
fn product<T: Real>(
    [m, n, k]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    onto: bool,
    c: &mut [T],
    parallelism: gemm::Parallelism,
) {
    let last = |rows: usize, columns: usize, of: &Matrix<'_, T>| {
        (rows - 1) * of.row + (columns - 1) * of.column
    };
    if m * n * k == 0 {
        return;
    }
    assert!(c.len() == m * n && last(m, k, &a) < a.values.len() && last(k, n, &b) < b.values.len());
    // SAFETY: each of the three matrices lies inside its slice, as asserted above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            onto,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Whether a product of so many multiplications is shared by the threads: 2^18 take about ten microseconds on one.
fn shared(work: usize) -> gemm::Parallelism {
    if work < 1 << 18 {
        gemm::Parallelism::None
    } else {
        gemm::Parallelism::Rayon(0)
    }
}

/// As [`conv2d`](super::conv2d::conv2d).
pub fn forward<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let (i, o) = (shape.in_channels, shape.out_channels);
    if let Some(bias) = bias {
        pieces(y, o, |_, piece| {
            for pixel in piece.chunks_exact_mut(o) {
                pixel.copy_from_slice(bias);
            }
        });
    }
    let [x, w] = [(x, i), (w, o)].map(|(values, row)| Matrix {
        values,
        row,
        column: 1,
    });
    let m = y.len() / o;
    product([m, o, i], x, w, bias.is_some(), y, shared(m * o * i));
}

/// As [`conv2d_grad_input`](super::conv2d::conv2d_grad_input), without a bias.
pub fn grad_input<T: Real>(shape: &ConvShape, dy: &[T], w: &[T], dx: &mut [T]) {
    let (i, o) = (shape.in_channels, shape.out_channels);
    let dy = Matrix {
        values: dy,
        row: o,
        column: 1,
    };
    let turned = Matrix {
        values: w,
        row: 1,
        column: o,
    };
    let m = dx.len() / i;
    product([m, i, o], dy, turned, false, dx, shared(m * i * o));
}

/// As [`conv2d_grad_weight`](super::conv2d_grad_weight::conv2d_grad_weight). The pixels are cut into parts by the shape alone.
pub fn grad_weight<T: Real>(shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (i, o) = (shape.in_channels, shape.out_channels);
    let pixels = x.len() / i;
    let of = |first: usize, count: usize| {
        let x = Matrix {
            values: &x[first * i..(first + count) * i],
            row: 1,
            column: i,
        };
        let dy = Matrix {
            values: &dy[first * o..(first + count) * o],
            row: o,
            column: 1,
        };
        (x, dy)
    };
    if i * o >= MANY {
        let (x, dy) = of(0, pixels);
        product([i, o, pixels], x, dy, false, dw, shared(i * o * pixels));
        return;
    }
    let size = pixels.div_ceil((pixels / PART).clamp(1, PARTS));
    let parts = pixels.div_ceil(size.max(1)).max(1);
    in_parts(dw, parts, |to| {
        (0..parts).into_par_iter().for_each(|part| {
            let first = part * size;
            let count = size.min(pixels - first);
            let (x, dy) = of(first, count);
            // SAFETY: every task writes its own part.
            let dw = unsafe { to.part(part * i * o, i * o) };
            product([i, o, count], x, dy, false, dw, gemm::Parallelism::None);
        });
    });
}
