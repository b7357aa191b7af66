//! Convolutions in which every channel is a group of its own: sums over taps with the channels as vectors.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::parallel::PIECE;
use super::parts::{PIECES, in_parts};
use super::real::Real;
use super::simd::{Vector, Work};

/// Registers whose sums run side by side: enough to hide the time of one addition.
const SUMS: usize = 4;
/// Elements of the widest register.
const WIDEST: usize = 16;

/// Whether every channel is a group of its own.
pub fn suits(shape: &ConvShape) -> bool {
    shape.groups > 1 && shape.groups == shape.in_channels && shape.groups == shape.out_channels
}

/// For each position along an axis, positions of the other side, with their taps.
pub(super) type Reads = Vec<Vec<(usize, usize)>>;

/// What each output position reads of the input: `(input, tap)`.
pub(super) fn reads(shape: &ConvShape, axis: usize) -> Reads {
    let (s, p, d) = (
        shape.stride[axis],
        shape.padding[axis],
        shape.dilation[axis],
    );
    let inside = |i: usize, k: usize| {
        let at = (i * s + k * d).checked_sub(p)?;
        (at < shape.in_size[axis]).then_some((at, k))
    };
    (0..shape.out_size[axis])
        .map(|i| {
            (0..shape.kernel[axis])
                .filter_map(|k| inside(i, k))
                .collect()
        })
        .collect()
}

/// Which outputs each input position went into: `(output, tap)`.
fn readers(shape: &ConvShape, axis: usize) -> Reads {
    let mut readers = vec![Vec::new(); shape.in_size[axis]];
    for (i, reads) in reads(shape, axis).into_iter().enumerate() {
        for (at, k) in reads {
            readers[at].push((i, k));
        }
    }
    readers
}

/// Which outputs each tap of an axis serves, and from which inputs: `(output, input)`.
pub(super) fn served(shape: &ConvShape, axis: usize) -> Reads {
    let mut served = vec![Vec::new(); shape.kernel[axis]];
    for (i, reads) in reads(shape, axis).into_iter().enumerate() {
        for (at, k) in reads {
            served[k].push((i, at));
        }
    }
    served
}

/// As [`conv2d`](super::conv2d::conv2d).
pub fn forward<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let taps = [reads(shape, 0), reads(shape, 1)];
    gather(shape, shape.in_size, x, &taps, w, bias, y);
}

/// As [`conv2d_grad_input`](super::conv2d::conv2d_grad_input).
pub fn grad_input<T: Real>(shape: &ConvShape, dy: &[T], w: &[T], bias: Option<&[T]>, dx: &mut [T]) {
    let taps = [readers(shape, 0), readers(shape, 1)];
    gather(shape, shape.out_size, dy, &taps, w, bias, dx);
}

/// `to[n, i, j, c] = bias[c] + sum over the taps of (i, j) of from[n, h, v, c] w[tap, c]`.
fn gather<T: Real>(
    shape: &ConvShape,
    [h, v]: [usize; 2],
    from: &[T],
    [rows, columns]: &[Reads; 2],
    w: &[T],
    bias: Option<&[T]>,
    to: &mut [T],
) {
    let c = shape.groups;
    let line = columns.len() * c;
    assert!(from.len() == shape.batch * h * v * c && w.len() == shape.taps() * c);
    let lines = (PIECE / (line * shape.taps()).max(1)).max(1);
    let row = |index: usize, to: &mut [T]| {
        let n = index / rows.len();
        let row = Row {
            from: &from[n * h * v * c..(n + 1) * h * v * c],
            width: v,
            w,
            kernel_width: shape.kernel[1],
            bias,
            rows: &rows[index % rows.len()],
            columns,
            to: to.as_mut_ptr(),
            channels: c,
        };
        // SAFETY: `to` is a row of `columns.len()` pixels; taps name pixels of `from` and filters of `w`.
        unsafe { T::with_vectors(&row) }
    };
    to.par_chunks_mut((lines * line).max(1))
        .enumerate()
        .for_each(|(at, piece)| {
            for (index, to) in piece.chunks_exact_mut(line).enumerate() {
                row(at * lines + index, to);
            }
        });
}

/// A row of pixels that [`gather`] writes.
struct Row<'a, T> {
    from: &'a [T],
    width: usize,
    w: &'a [T],
    kernel_width: usize,
    bias: Option<&'a [T]>,
    rows: &'a [(usize, usize)],
    columns: &'a Reads,
    to: *mut T,
    channels: usize,
}

impl<T: Real> Row<'_, T> {
    /// The pixel's channels from `first` on, `N` registers of them.
    #[inline(always)]
    unsafe fn block<V: Vector<Elem = T>, const N: usize>(
        &self,
        columns: &[(usize, usize)],
        first: usize,
        to: *mut T,
    ) {
        unsafe {
            let mut sums: [V; N] = match self.bias {
                Some(bias) => {
                    std::array::from_fn(|k| V::load(bias.as_ptr().add(first + k * V::LANES)))
                }
                None => [V::zero(); N],
            };
            for &(h, a) in self.rows {
                for &(v, b) in columns {
                    let x = self
                        .from
                        .as_ptr()
                        .add((h * self.width + v) * self.channels + first);
                    let tap = a * self.kernel_width + b;
                    let w = self.w.as_ptr().add(tap * self.channels + first);
                    for (k, sum) in sums.iter_mut().enumerate() {
                        let at = k * V::LANES;
                        *sum = sum.fma(V::load(x.add(at)), V::load(w.add(at)));
                    }
                }
            }
            for (k, sum) in sums.into_iter().enumerate() {
                sum.store(to.add(first + k * V::LANES));
            }
        }
    }
}

impl<T: Real> Work<T> for Row<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(&self) {
        let c = self.channels;
        for (j, columns) in self.columns.iter().enumerate() {
            // SAFETY: passed on from the caller.
            unsafe {
                let to = self.to.add(j * c);
                let mut first = 0;
                while first + SUMS * V::LANES <= c {
                    self.block::<V, SUMS>(columns, first, to);
                    first += SUMS * V::LANES;
                }
                while first + V::LANES <= c {
                    self.block::<V, 1>(columns, first, to);
                    first += V::LANES;
                }
                for channel in first..c {
                    let mut sum = self.bias.map_or(T::zero(), |bias| bias[channel]);
                    for &(h, a) in self.rows {
                        for &(v, b) in columns {
                            sum += self.from[(h * self.width + v) * c + channel]
                                * self.w[(a * self.kernel_width + b) * c + channel];
                        }
                    }
                    *to.add(channel) = sum;
                }
            }
        }
    }
}

/// As [`conv2d_grad_weight`](super::conv2d_grad_weight::conv2d_grad_weight).
pub fn grad_weight<T: Real>(shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let (c, [oh, _]) = (shape.groups, shape.out_size);
    let (rows, columns) = (served(shape, 0), served(shape, 1));
    assert!(x.len() == shape.in_len() && dy.len() == shape.out_len());
    let all_rows = shape.batch * oh;
    let part_rows = all_rows.div_ceil(PIECES.min(all_rows.max(1))).max(1);
    let parts = all_rows.div_ceil(part_rows).max(1);
    let block = SUMS * WIDEST;
    let blocks = c.div_ceil(block);
    let len = dw.len();
    in_parts(dw, parts, |to| {
        (0..parts * blocks).into_par_iter().for_each(|index| {
            let (part, first) = (index / blocks, index % blocks * block);
            let channels = Channels {
                shape,
                x,
                dy,
                rows: &rows,
                columns: &columns,
                within: part * part_rows..((part + 1) * part_rows).min(all_rows),
                channels: first..(first + block).min(c),
                // SAFETY: there are `parts` arrays of `len` elements.
                to: unsafe { to.get().add(part * len) },
            };
            // SAFETY: every task writes its own channels of its own part.
            unsafe { T::with_vectors(&channels) }
        });
    });
}

/// Some channels of the weight, over some rows of the batch.
struct Channels<'a, T> {
    shape: &'a ConvShape,
    x: &'a [T],
    dy: &'a [T],
    rows: &'a Reads,
    columns: &'a Reads,
    within: Range<usize>,
    channels: Range<usize>,
    to: *mut T,
}

impl<T: Real> Channels<'_, T> {
    /// The weights of a tap for `N` registers of channels from `first` on.
    #[inline(always)]
    unsafe fn block<V: Vector<Elem = T>, const N: usize>(&self, tap: usize, first: usize) {
        let (c, [h, v], [oh, ow]) = (self.shape.groups, self.shape.in_size, self.shape.out_size);
        let (a, b) = (tap / self.shape.kernel[1], tap % self.shape.kernel[1]);
        unsafe {
            let mut sums = [V::zero(); N];
            each_row(&self.within, oh, &self.rows[a], |n, i, line| {
                let x = self.x.as_ptr().add((n * h + line) * v * c + first);
                let dy = self.dy.as_ptr().add((n * oh + i) * ow * c + first);
                for &(j, column) in &self.columns[b] {
                    for (k, sum) in sums.iter_mut().enumerate() {
                        let at = k * V::LANES;
                        let x = V::load(x.add(column * c + at));
                        *sum = sum.fma(x, V::load(dy.add(j * c + at)));
                    }
                }
            });
            for (k, sum) in sums.into_iter().enumerate() {
                sum.store(self.to.add(tap * c + first + k * V::LANES));
            }
        }
    }
}

impl<T: Real> Work<T> for Channels<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(&self) {
        let (c, [h, v], [oh, ow]) = (self.shape.groups, self.shape.in_size, self.shape.out_size);
        for tap in 0..self.shape.taps() {
            let mut first = self.channels.start;
            // SAFETY: passed on from the caller.
            unsafe {
                while first + SUMS * V::LANES <= self.channels.end {
                    self.block::<V, SUMS>(tap, first);
                    first += SUMS * V::LANES;
                }
                while first + V::LANES <= self.channels.end {
                    self.block::<V, 1>(tap, first);
                    first += V::LANES;
                }
            }
            let (a, b) = (tap / self.shape.kernel[1], tap % self.shape.kernel[1]);
            for channel in first..self.channels.end {
                let mut sum = T::zero();
                each_row(&self.within, oh, &self.rows[a], |n, i, line| {
                    for &(j, column) in &self.columns[b] {
                        sum += self.x[((n * h + line) * v + column) * c + channel]
                            * self.dy[((n * oh + i) * ow + j) * c + channel];
                    }
                });
                // SAFETY: passed on from the caller.
                unsafe { *self.to.add(tap * c + channel) = sum }
            }
        }
    }
}

/// Calls `f(image, output row, input row)` for the rows of `within` (image by image) that a tap serves.
#[inline(always)]
pub(super) fn each_row(
    within: &Range<usize>,
    oh: usize,
    served: &[(usize, usize)],
    mut f: impl FnMut(usize, usize, usize),
) {
    for n in within.start / oh.max(1)..within.end.div_ceil(oh.max(1)) {
        for &(i, at) in served {
            if within.contains(&(n * oh + i)) {
                f(n, i, at);
            }
        }
    }
}
