//! Convolutions to one channel: dot products over the input channels, which are the vectors here.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::depthwise::{Reads, each_row, reads, served};
use super::parallel::PIECE;
use super::parts::{PIECES, in_parts};
use super::real::Real;
use super::simd::{Vector, Work};

/// Registers whose sums run side by side: enough to hide the time of one addition.
const SUMS: usize = 4;
/// Elements of the widest register.
const WIDEST: usize = 16;

/// Whether a convolution gives one channel from enough of them to fill registers.
pub fn suits(shape: &ConvShape) -> bool {
    shape.groups == 1 && shape.out_channels == 1 && shape.in_channels.is_multiple_of(WIDEST)
}

/// As [`conv2d`](super::conv2d::conv2d).
pub fn forward<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let (c, [h, v], [oh, ow]) = (shape.in_channels, shape.in_size, shape.out_size);
    let (rows, columns) = (reads(shape, 0), reads(shape, 1));
    assert!(x.len() == shape.in_len() && w.len() == shape.weight_len());
    let lines = (PIECE / (ow * c).max(1)).max(1);
    y.par_chunks_mut((lines * ow).max(1))
        .enumerate()
        .for_each(|(at, piece)| {
            for (index, y) in piece.chunks_exact_mut(ow).enumerate() {
                let index = at * lines + index;
                let n = index / oh;
                let row = Row {
                    x: &x[n * h * v * c..(n + 1) * h * v * c],
                    width: v,
                    w,
                    kernel_width: shape.kernel[1],
                    start: bias.map_or(T::zero(), |bias| bias[0]),
                    rows: &rows[index % oh],
                    columns: &columns,
                    y: y.as_mut_ptr(),
                    channels: c,
                };
                // SAFETY: `y` is a row of `columns.len()` pixels; taps name pixels of `x` and filters of `w`.
                unsafe { T::with_vectors(&row) }
            }
        });
}

/// A row of outputs.
struct Row<'a, T> {
    x: &'a [T],
    width: usize,
    w: &'a [T],
    kernel_width: usize,
    start: T,
    rows: &'a [(usize, usize)],
    columns: &'a Reads,
    y: *mut T,
    channels: usize,
}

impl<T: Real> Work<T> for Row<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(&self) {
        let c = self.channels;
        for (at, columns) in self.columns.iter().enumerate() {
            // SAFETY: passed on from the caller; `suits` makes the channels a multiple of every register.
            unsafe {
                let mut sums = [V::zero(); SUMS];
                for &(h, a) in self.rows {
                    for &(v, b) in columns {
                        let x = self.x.as_ptr().add((h * self.width + v) * c);
                        let w = self.w.as_ptr().add((a * self.kernel_width + b) * c);
                        let mut first = 0;
                        while first + SUMS * V::LANES <= c {
                            for (k, sum) in sums.iter_mut().enumerate() {
                                let at = first + k * V::LANES;
                                *sum = sum.fma(V::load(x.add(at)), V::load(w.add(at)));
                            }
                            first += SUMS * V::LANES;
                        }
                        while first < c {
                            sums[0] = sums[0].fma(V::load(x.add(first)), V::load(w.add(first)));
                            first += V::LANES;
                        }
                    }
                }
                let mut lanes = [T::zero(); WIDEST];
                let all = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
                all.store(lanes.as_mut_ptr());
                let mut half = V::LANES / 2;
                while half > 0 {
                    for l in 0..half {
                        lanes[l] += lanes[l + half];
                    }
                    half /= 2;
                }
                *self.y.add(at) = self.start + lanes[0];
            }
        }
    }
}

/// As [`conv2d_grad_weight`](super::conv2d_grad_weight::conv2d_grad_weight).
pub fn grad_weight<T: Real>(shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let [oh, _] = shape.out_size;
    let (rows, columns) = (served(shape, 0), served(shape, 1));
    assert!(x.len() == shape.in_len() && dy.len() == shape.out_len());
    let all_rows = shape.batch * oh;
    let part_rows = all_rows.div_ceil(PIECES.min(all_rows.max(1))).max(1);
    let parts = all_rows.div_ceil(part_rows).max(1);
    let len = dw.len();
    in_parts(dw, parts, |to| {
        (0..parts).into_par_iter().for_each(|part| {
            let weight = Weight {
                shape,
                x,
                dy,
                rows: &rows,
                columns: &columns,
                within: part * part_rows..((part + 1) * part_rows).min(all_rows),
                // SAFETY: there are `parts` arrays of `len` elements.
                to: unsafe { to.get().add(part * len) },
            };
            // SAFETY: every task writes its own part.
            unsafe { T::with_vectors(&weight) }
        });
    });
}

/// The weight's gradient over some rows of the batch.
struct Weight<'a, T> {
    shape: &'a ConvShape,
    x: &'a [T],
    dy: &'a [T],
    rows: &'a Reads,
    columns: &'a Reads,
    within: Range<usize>,
    to: *mut T,
}

impl<T: Real> Weight<'_, T> {
    /// The weights of a tap for `N` registers of channels from `first` on.
    #[inline(always)]
    unsafe fn block<V: Vector<Elem = T>, const N: usize>(&self, tap: usize, first: usize) {
        let s = self.shape;
        let (c, [h, v], [oh, ow]) = (s.in_channels, s.in_size, s.out_size);
        let (a, b) = (tap / s.kernel[1], tap % s.kernel[1]);
        unsafe {
            let mut sums = [V::zero(); N];
            each_row(&self.within, oh, &self.rows[a], |n, i, line| {
                let x = self.x.as_ptr().add((n * h + line) * v * c + first);
                let dy = self.dy.as_ptr().add((n * oh + i) * ow);
                for &(j, column) in &self.columns[b] {
                    let dy = V::splat(*dy.add(j));
                    for (k, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.fma(V::load(x.add(column * c + k * V::LANES)), dy);
                    }
                }
            });
            for (k, sum) in sums.into_iter().enumerate() {
                sum.store(self.to.add(tap * c + first + k * V::LANES));
            }
        }
    }
}

impl<T: Real> Work<T> for Weight<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(&self) {
        let c = self.shape.in_channels;
        for tap in 0..self.shape.taps() {
            let mut first = 0;
            // SAFETY: passed on from the caller; `suits` makes the channels a multiple of every register.
            unsafe {
                while first + SUMS * V::LANES <= c {
                    self.block::<V, SUMS>(tap, first);
                    first += SUMS * V::LANES;
                }
                while first < c {
                    self.block::<V, 1>(tap, first);
                    first += V::LANES;
                }
            }
        }
    }
}
