//! Convolutions in which every channel is a group of its own: sums over taps with the channels as vectors.

use super::conv_shape::ConvShape;
use super::per_channel::{Row, SUMS, Sources, each_row, readers, reads};
use super::real::Real;
use super::simd::{self, Set, Vector, Work};

/// Whether every channel is a group of its own.
pub fn suits(shape: &ConvShape) -> bool {
    shape.groups > 1 && shape.groups == shape.in_channels && shape.groups == shape.out_channels
}

/// As [`conv2d`](super::conv2d::conv2d).
pub fn forward<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let sources = Sources {
        from: x,
        size: shape.in_size,
        channels: shape.groups,
        w,
        kernel_width: shape.kernel[1],
        taps: [reads(shape, 0), reads(shape, 1)],
    };
    gather(&sources, bias, y);
}

/// As [`conv2d_grad_input`](super::conv2d::conv2d_grad_input).
pub fn grad_input<T: Real>(shape: &ConvShape, dy: &[T], w: &[T], bias: Option<&[T]>, dx: &mut [T]) {
    let sources = Sources {
        from: dy,
        size: shape.out_size,
        channels: shape.groups,
        w,
        kernel_width: shape.kernel[1],
        taps: [readers(shape, 0), readers(shape, 1)],
    };
    gather(&sources, bias, dx);
}

/// `to[n, i, j, c] = bias[c] + sum over the taps of (i, j) of from[n, h, v, c] w[tap, c]`.
fn gather<T: Real>(sources: &Sources<'_, T>, bias: Option<&[T]>, to: &mut [T]) {
    each_row(sources, sources.channels, to, |row, to| {
        simd::run(Gather { row, bias, to });
    });
}

/// A row of pixels that [`gather`] writes.
struct Gather<'a, T> {
    row: &'a Row<'a, T>,
    bias: Option<&'a [T]>,
    to: &'a mut [T],
}

impl<T: Real> Gather<'_, T> {
    /// `N` registers of a pixel's channels, from `first` on.
    #[inline(always)]
    fn block<V: Vector<Elem = T>, const N: usize>(
        &self,
        columns: &[(usize, usize)],
        first: usize,
    ) -> [V; N] {
        let mut sums: [V; N] = match self.bias {
            Some(bias) => std::array::from_fn(|k| V::from_slice(&bias[first + k * V::LANES..])),
            None => [V::zero(); N],
        };
        // SAFETY: the columns are this row's, and `N` registers from `first` on lie inside the channels.
        unsafe {
            self.row.each_tap(columns, first, |x, w| {
                for (k, sum) in sums.iter_mut().enumerate() {
                    let at = k * V::LANES;
                    *sum = V::load(x.add(at)).mul_add(V::load(w.add(at)), *sum);
                }
            });
        }
        sums
    }
}

impl<T: Real> Work for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self) {
        let (c, lanes) = (self.row.channels(), T::Register::<S>::LANES);
        for (j, columns) in self.row.columns.iter().enumerate() {
            let mut first = 0;
            while first + SUMS * lanes <= c {
                let sums = self.block::<T::Register<S>, SUMS>(columns, first);
                let to = &mut self.to[j * c + first..][..SUMS * lanes];
                for (sum, to) in sums.into_iter().zip(to.chunks_exact_mut(lanes)) {
                    sum.to_slice(to);
                }
                first += SUMS * lanes;
            }
            while first + lanes <= c {
                let [sum] = self.block::<T::Register<S>, 1>(columns, first);
                sum.to_slice(&mut self.to[j * c + first..]);
                first += lanes;
            }
            for channel in first..c {
                let mut sum = self.bias.map_or(T::zero(), |bias| bias[channel]);
                // SAFETY: the columns are this row's, and the channel exists.
                unsafe {
                    self.row.each_tap(columns, channel, |x, w| sum += *x * *w);
                }
                self.to[j * c + channel] = sum;
            }
        }
    }
}
