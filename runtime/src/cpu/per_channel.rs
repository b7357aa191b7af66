//! What depthwise convolutions and those to one channel share: filters with one weight for each tap and input channel,
//! the channels as vectors.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::parallel::PIECE;
use super::parts::{PIECES, in_parts};
use super::real::Real;
use super::shared::Shared;
use super::simd::{self, Set, Vector, WIDEST, Work};

/// Registers whose sums run side by side: a processor starts about one sum in each cycle, and a sum takes four cycles to
/// be ready for the next product.
pub const SUMS: usize = 4;

/// For each position along an axis, positions of the other side, with their taps.
pub type Reads = Vec<Vec<(usize, usize)>>;

/// What each output position reads of the input: `(input, tap)`.
pub fn reads(shape: &ConvShape, axis: usize) -> Reads {
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
pub fn readers(shape: &ConvShape, axis: usize) -> Reads {
    let mut readers = vec![Vec::new(); shape.in_size[axis]];
    for (i, reads) in reads(shape, axis).into_iter().enumerate() {
        for (at, k) in reads {
            readers[at].push((i, k));
        }
    }
    readers
}

/// Which outputs each tap of an axis serves, and from which inputs: `(output, input)`.
fn served(shape: &ConvShape, axis: usize) -> Reads {
    let mut served = vec![Vec::new(); shape.kernel[axis]];
    for (i, reads) in reads(shape, axis).into_iter().enumerate() {
        for (at, k) in reads {
            served[k].push((i, at));
        }
    }
    served
}

/// Pixels to sum over, and their weights.
pub struct Sources<'a, T> {
    /// Images of `size` pixels of `channels` elements.
    pub from: &'a [T],
    /// Height and width of an image.
    pub size: [usize; 2],
    /// Channels of a pixel, and weights of a tap.
    pub channels: usize,
    /// The weights of all taps.
    pub w: &'a [T],
    /// Taps in a row of the filter.
    pub kernel_width: usize,
    /// For each row and each column of the result, what it reads.
    pub taps: [Reads; 2],
}

/// A row of the result of [`each_row`]; every tap of it names a pixel and a filter that exist.
pub struct Row<'a, T> {
    image: &'a [T],
    w: &'a [T],
    width: usize,
    channels: usize,
    kernel_width: usize,
    lines: &'a [(usize, usize)],
    /// What each column reads.
    pub columns: &'a Reads,
}

/// Calls `f(row, to)` for the rows of the result, each with `width` elements for each column.
pub fn each_row<T: Real>(
    sources: &Sources<'_, T>,
    width: usize,
    to: &mut [T],
    f: impl Fn(&Row<'_, T>, &mut [T]) + Sync,
) {
    let (c, [h, v], [rows, columns]) = (sources.channels, sources.size, &sources.taps);
    // Checked once for all rows, which load pixels and weights by pointers.
    let end = |reads: &Reads, of: fn(&(usize, usize)) -> usize| {
        reads
            .iter()
            .flatten()
            .map(of)
            .max()
            .map_or(0, |last| last + 1)
    };
    assert!(end(rows, |read| read.0) <= h && end(columns, |read| read.0) <= v);
    assert!(end(columns, |read| read.1) <= sources.kernel_width);
    assert!(end(rows, |read| read.1) * sources.kernel_width * c <= sources.w.len());

    let line = columns.len() * width;
    let lines = (PIECE / (columns.len() * sources.w.len()).max(1)).max(1);
    to.par_chunks_mut((lines * line).max(1))
        .enumerate()
        .for_each(|(at, piece)| {
            for (index, to) in piece.chunks_exact_mut(line).enumerate() {
                let index = at * lines + index;
                let image = index / rows.len();
                let row = Row {
                    image: &sources.from[image * h * v * c..(image + 1) * h * v * c],
                    w: sources.w,
                    width: v,
                    channels: c,
                    kernel_width: sources.kernel_width,
                    lines: &rows[index % rows.len()],
                    columns,
                };
                f(&row, to);
            }
        });
}

impl<T: Real> Row<'_, T> {
    /// Channels of a pixel.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Calls `f(pixel, weights)` with the channels under each tap of a column, from channel `first` on, and the weights
    /// of the tap.
    ///
    /// # Safety
    /// `columns` is one of [`Row::columns`], and `first` is at most the number of channels. Both pointers may be read up
    /// to the last channel.
    #[inline(always)]
    pub unsafe fn each_tap(
        &self,
        columns: &[(usize, usize)],
        first: usize,
        mut f: impl FnMut(*const T, *const T),
    ) {
        let (image, w) = (self.image.as_ptr(), self.w.as_ptr());
        for &(h, a) in self.lines {
            for &(v, b) in columns {
                let pixel = (h * self.width + v) * self.channels + first;
                let tap = (a * self.kernel_width + b) * self.channels + first;
                // SAFETY: `each_row` has checked all taps; the channel is the caller's promise.
                unsafe { f(image.add(pixel), w.add(tap)) }
            }
        }
    }
}

/// The weight gradient `dw[tap, c] = sum over the pixels that the tap serves of x[pixel, c] dy[output, c]`, or of
/// `x[pixel, c] dy[output]` where the output has one channel.
///
/// The rows of the batch are cut into parts with sums of their own, by the shape alone, so that the order of the sum does
/// not depend on the number of threads.
pub fn grad_weight<T: Real>(shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    let c = shape.in_channels;
    let (rows, columns) = (served(shape, 0), served(shape, 1));
    assert!(x.len() == shape.in_len() && dy.len() == shape.out_len());
    assert!(dw.len() == shape.taps() * c && [1, c].contains(&shape.out_channels));
    let all_rows = shape.batch * shape.out_size[0];
    let part_rows = all_rows.div_ceil(PIECES.min(all_rows.max(1))).max(1);
    let parts = all_rows.div_ceil(part_rows).max(1);
    let block = SUMS * WIDEST;
    let blocks = c.div_ceil(block);
    let len = dw.len();
    in_parts(dw, parts, |to| {
        (0..parts * blocks).into_par_iter().for_each(|index| {
            let (part, first) = (index / blocks, index % blocks * block);
            simd::run(Channels {
                shape,
                x,
                dy,
                rows: &rows,
                columns: &columns,
                within: part * part_rows..((part + 1) * part_rows).min(all_rows),
                channels: first..(first + block).min(c),
                to: to.range(part * len, len),
            });
        });
    });
}

/// Some channels of the weight, over some rows of the batch; no other task writes these channels of `to`.
struct Channels<'a, T> {
    shape: &'a ConvShape,
    x: &'a [T],
    dy: &'a [T],
    rows: &'a Reads,
    columns: &'a Reads,
    within: Range<usize>,
    channels: Range<usize>,
    to: Shared<'a, T>,
}

impl<T: Real> Channels<'_, T> {
    /// Calls `f(x, dy)` with the first element of each pixel that a tap serves, and of the output that reads it.
    #[inline(always)]
    fn each_pixel(&self, [a, b]: [usize; 2], mut f: impl FnMut(usize, usize)) {
        let s = self.shape;
        let ([h, v], [oh, ow]) = (s.in_size, s.out_size);
        for n in self.within.start / oh.max(1)..self.within.end.div_ceil(oh.max(1)) {
            for &(i, line) in &self.rows[a] {
                if !self.within.contains(&(n * oh + i)) {
                    continue;
                }
                let x = (n * h + line) * v * s.in_channels;
                let dy = (n * oh + i) * ow * s.out_channels;
                for &(j, column) in &self.columns[b] {
                    f(x + column * s.in_channels, dy + j * s.out_channels);
                }
            }
        }
    }

    /// The weights of a tap for `N` registers of channels from `first` on.
    #[inline(always)]
    fn block<V: Vector<Elem = T>, const N: usize>(&self, tap: [usize; 2], first: usize) {
        let one = self.shape.out_channels == 1;
        let mut sums = [V::zero(); N];
        self.each_pixel(tap, |x, dy| {
            // SAFETY: both name pixels of their maps, whose lengths were checked, and the registers lie inside their
            // channels.
            unsafe {
                let (x, dy) = (self.x.as_ptr().add(x + first), self.dy.as_ptr().add(dy));
                for (k, sum) in sums.iter_mut().enumerate() {
                    let at = k * V::LANES;
                    let dy = if one {
                        V::splat(*dy)
                    } else {
                        V::load(dy.add(first + at))
                    };
                    *sum = V::load(x.add(at)).mul_add(dy, *sum);
                }
            }
        });
        let at = self.weight(tap) + first;
        // SAFETY: this task alone writes these channels.
        let to = unsafe { self.to.part(at, N * V::LANES) };
        for (sum, to) in sums.into_iter().zip(to.chunks_exact_mut(V::LANES)) {
            sum.to_slice(to);
        }
    }

    /// The place of a tap's first weight.
    fn weight(&self, [a, b]: [usize; 2]) -> usize {
        (a * self.shape.kernel[1] + b) * self.shape.in_channels
    }
}

impl<T: Real> Work for Channels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self) {
        let lanes = T::Register::<S>::LANES;
        let [kh, kw] = self.shape.kernel;
        for tap in (0..kh).flat_map(|a| (0..kw).map(move |b| [a, b])) {
            let mut first = self.channels.start;
            while first + SUMS * lanes <= self.channels.end {
                self.block::<T::Register<S>, SUMS>(tap, first);
                first += SUMS * lanes;
            }
            while first + lanes <= self.channels.end {
                self.block::<T::Register<S>, 1>(tap, first);
                first += lanes;
            }
            for channel in first..self.channels.end {
                let mut sum = T::zero();
                let gradient = if self.shape.out_channels == 1 {
                    0
                } else {
                    channel
                };
                self.each_pixel(tap, |x, dy| {
                    sum += self.x[x + channel] * self.dy[dy + gradient];
                });
                // SAFETY: this task alone writes this channel.
                unsafe { self.to.part(self.weight(tap) + channel, 1)[0] = sum }
            }
        }
    }
}
