//! The weight gradient of 3x3 convolutions of stride 1 in single precision, by the transposed Winograd algorithm:
//! products of transformed input tiles and transformed gradient tiles, summed at each of the 16 points.

use rayon::prelude::*;

use super::conv_kernel::{Run, WeightTile, kernels};
use super::conv_shape::ConvShape;
use super::parts::{PIECES, in_parts};
use super::scratch::with_scratch;
use super::shared::Shared;
use super::winograd::{FeatureMap, GAP, Points, Tiles};
use super::winograd_kernel::{Gather, POINTS, transforms};

/// Tiles transformed at a time. The sums of a piece (16 points of 64 x 64 channels, 256 KiB) stay in the second-level cache,
/// beside the input tiles and the gradient tiles of one step (16 points of 48 tiles, 240 and 192 KiB).
const TILES: usize = 48;
/// Most input channels of a piece.
const DEPTH: usize = 64;
/// Panels of output channels of a piece: each transformed input tile is used for as many.
const PANELS: usize = 2;

/// As [`conv2d_grad_weight`](super::conv2d_grad_weight::conv2d_grad_weight), for shapes that
/// [`suits`](super::winograd::suits) accepts.
pub fn grad_weight(shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    assert_eq!(x.len(), shape.in_len());
    assert_eq!(dy.len(), shape.out_len());
    assert_eq!(dw.len(), shape.weight_len());
    let lanes = transforms().lanes;
    let registers = if shape.out_channels <= lanes { 1 } else { 2 };
    let width = registers * lanes;
    let depths = shape.in_channels.div_ceil(DEPTH);
    let groups = shape.out_channels.div_ceil(width).div_ceil(PANELS);
    let tiles = Tiles::new(shape.batch, shape.out_size);
    let wanted = PIECES
        .div_ceil(depths * groups)
        .min(tiles.count().div_ceil(TILES));
    let per_part = tiles.count().div_ceil(wanted);
    let parts = tiles.count().div_ceil(per_part);
    in_parts(dw, parts, |to| {
        (0..parts * depths * groups)
            .into_par_iter()
            .for_each(|index| {
                let part = index % parts;
                let depth = shape.in_channels.div_ceil(depths);
                let piece = Piece {
                    shape,
                    x,
                    dy,
                    tiles,
                    range: part * per_part..((part + 1) * per_part).min(tiles.count()),
                    first: index / parts / groups * depth,
                    depth: depth.min(shape.in_channels - index / parts / groups * depth),
                    column: index / parts % groups * PANELS * width,
                    width,
                    registers,
                };
                // SAFETY: pieces write disjoint channels or parts.
                unsafe { piece.run(to.range(part * shape.weight_len(), shape.weight_len())) }
            });
    });
}

/// Some channels of the weight, over a range of tiles.
struct Piece<'a> {
    shape: &'a ConvShape,
    x: &'a [f32],
    dy: &'a [f32],
    tiles: Tiles,
    range: std::ops::Range<usize>,
    first: usize,
    depth: usize,
    column: usize,
    width: usize,
    registers: usize,
}

impl Piece<'_> {
    /// # Safety
    /// `to` holds a whole weight whose channels of this piece nobody else touches.
    unsafe fn run(&self, to: Shared<'_, f32>) {
        let columns = (PANELS * self.width).min(self.shape.out_channels - self.column);
        let panels = columns.div_ceil(self.width);
        let v_step = self.depth + GAP;
        with_scratch(
            POINTS * panels * self.depth * self.width,
            |sums: &mut [f32]| {
                sums.fill(0.0);
                with_scratch(POINTS * TILES * v_step, |v: &mut [f32]| {
                    let mut v = Points {
                        values: v,
                        step: v_step,
                    };
                    with_scratch(POINTS * TILES * panels * self.width, |d: &mut [f32]| {
                        for first in self.range.clone().step_by(TILES) {
                            let tiles = TILES.min(self.range.end - first);
                            self.transform(first, tiles, columns, &mut v, d);
                            self.multiply(tiles, panels, &v, d, sums);
                        }
                    });
                });
                for (panel, row) in
                    (0..panels).flat_map(|panel| (0..self.depth).map(move |row| (panel, row)))
                {
                    let at =
                        |point: usize| ((panel * POINTS + point) * self.depth + row) * self.width;
                    let column = self.column + panel * self.width;
                    let row = self.first + row;
                    let job = Gather {
                        from: std::array::from_fn(|point| sums[at(point)..].as_ptr()),
                        to: to.from(row * self.shape.out_channels + column),
                        step: self.shape.in_channels * self.shape.out_channels,
                        channels: self.width.min(columns - panel * self.width),
                    };
                    // SAFETY: sums and rows hold `channels` elements; the table is this processor's.
                    unsafe { (transforms().weight_grad)(&job) }
                }
            },
        );
    }

    /// Transforms input tiles to `[point, tile, depth]` and gradient tiles to `[panel, point, tile, width]`.
    fn transform(
        &self,
        first: usize,
        tiles: usize,
        columns: usize,
        v: &mut Points<'_>,
        d: &mut [f32],
    ) {
        let s = self.shape;
        let x = FeatureMap {
            values: self.x,
            size: s.in_size,
            channels: s.in_channels,
        };
        let dy = FeatureMap {
            values: self.dy,
            size: s.out_size,
            channels: s.out_channels,
        };
        for tile in 0..tiles {
            let [image, i, j] = self.tiles.place(first + tile);
            let corner = [2 * i as isize, 2 * j as isize];
            let padded = [0, 1].map(|k| corner[k] - s.padding[k] as isize);
            let job = Gather {
                from: x.window::<4, 16>(image, self.first, padded),
                to: v.values[tile * v.step..].as_mut_ptr(),
                step: TILES * v.step,
                channels: self.depth,
            };
            // SAFETY: each pixel holds `depth` channels from `first` on; the table is this processor's.
            unsafe { (transforms().input)(&job) }
            for panel in 0..columns.div_ceil(self.width) {
                let channel = self.column + panel * self.width;
                let job = Gather {
                    from: dy.window::<2, 4>(image, channel, corner),
                    to: d[(panel * POINTS * TILES + tile) * self.width..].as_mut_ptr(),
                    step: TILES * self.width,
                    channels: self.width.min(columns - panel * self.width),
                };
                // SAFETY: as above.
                unsafe { (transforms().output_grad)(&job) }
            }
        }
    }

    fn multiply(&self, tiles: usize, panels: usize, v: &Points<'_>, d: &[f32], sums: &mut [f32]) {
        let table = kernels::<f32>();
        let pieces = self.depth.div_ceil(table.rows);
        for (panel, point) in
            (0..panels).flat_map(|panel| (0..POINTS).map(move |point| (panel, point)))
        {
            let dy = d[(panel * POINTS + point) * TILES * self.width..].as_ptr();
            let mut done = 0;
            for piece in 0..pieces {
                let rows = self.depth / pieces + usize::from(piece < self.depth % pieces);
                let runs = [Run {
                    x: v.values[point * TILES * v.step + done..].as_ptr(),
                    dy,
                }];
                let at = ((panel * POINTS + point) * self.depth + done) * self.width;
                let job = WeightTile {
                    runs: runs.as_slice(),
                    count: tiles,
                    x_step: v.step,
                    dw: sums[at..at + rows * self.width].as_mut_ptr(),
                };
                // SAFETY: `v`, `d` and `sums` hold what the job says; the table is this processor's.
                unsafe { table.weights[self.registers - 1][rows - 1](&job) }
                done += rows;
            }
        }
    }
}
