//! Convolutions to one channel: dot products over the input channels, which are the vectors here.

use super::conv_shape::ConvShape;
use super::per_channel::{Row, SUMS, Sources, each_row, reads};
use super::real::Real;
use super::simd::{self, Set, Vector, WIDEST, Work};

/// Whether a convolution gives one channel from enough of them to fill registers.
pub fn suits(shape: &ConvShape) -> bool {
    shape.groups == 1 && shape.out_channels == 1 && shape.in_channels.is_multiple_of(WIDEST)
}

/// As [`conv2d`](super::conv2d::conv2d).
pub fn forward<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let sources = Sources {
        from: x,
        size: shape.in_size,
        channels: shape.in_channels,
        w,
        kernel_width: shape.kernel[1],
        taps: [reads(shape, 0), reads(shape, 1)],
    };
    let start = bias.map_or(T::zero(), |bias| bias[0]);
    each_row(&sources, 1, y, |row, y| simd::run(Dot { row, start, y }));
}

/// A row of outputs, each of which starts from `start`.
struct Dot<'a, T> {
    row: &'a Row<'a, T>,
    start: T,
    y: &'a mut [T],
}

impl<T: Real> Work for Dot<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self) {
        let (c, lanes) = (self.row.channels(), T::Register::<S>::LANES);
        for (columns, y) in self.row.columns.iter().zip(self.y) {
            let mut sums = [T::Register::<S>::zero(); SUMS];
            // SAFETY: the columns are this row's; `suits` makes the channels a multiple of every register, so that the
            // registers lie inside them.
            unsafe {
                self.row.each_tap(columns, 0, |x, w| {
                    let mut first = 0;
                    while first + SUMS * lanes <= c {
                        for (k, sum) in sums.iter_mut().enumerate() {
                            let at = first + k * lanes;
                            let x = T::Register::<S>::load(x.add(at));
                            *sum = x.mul_add(T::Register::<S>::load(w.add(at)), *sum);
                        }
                        first += SUMS * lanes;
                    }
                    while first < c {
                        let x = T::Register::<S>::load(x.add(first));
                        sums[0] = x.mul_add(T::Register::<S>::load(w.add(first)), sums[0]);
                        first += lanes;
                    }
                });
            }
            let all = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
            *y = self.start + all.sum();
        }
    }
}
