//! 3x3 convolutions of stride 1 in single precision by Winograd's F(2x2, 3x3).
//!
//! A task takes a block of 2x2 output tiles and a few panels of output channels. It transforms its input tiles, one block
//! of channels at a time, multiplies them with the transformed weights at each of the 16 points, and transforms the sums
//! back. Transformed tiles are stored as `[point, tile, channel]` and weights as `[panel, point, channel, column]`, so that the
//! product at a point is a matrix product of contiguous rows. A panel's weights at a point (128 channels of 32
//! columns, 16 KiB) stay in the first-level cache while all tiles of the block pass by. Transformed tiles and sums (16
//! points of 56 tiles, at most 504 and 280 KiB) stay in the second-level cache between the three steps.

use std::ops::Range;

use rayon::prelude::*;

use super::conv_kernel::{PixelTile, Tap, kernels};
use super::conv_shape::ConvShape;
use super::scratch::with_scratch;
use super::shared::Shared;
use super::simd;
use super::winograd_kernel::{Gather, POINTS, Scatter, transforms};

/// Most tiles of a block: four register tiles of 14 rows, and no more than the second-level cache of 1 MiB holds beside
/// the sums.
const TILES: usize = 56;
/// Most channels summed over at a time: a panel of 32 columns then takes half of a first-level cache of 32 KiB.
const DEPTH: usize = 128;
/// Panels of output channels of a task: each transformed input tile is used for as many.
const PANELS: usize = 2;
/// Columns of the widest panel on any instruction set: two registers.
const WIDEST: usize = 2 * simd::WIDEST;
/// Elements added between rows in scratch memory. Rows a power of two apart would share a few sets of the cache.
pub(super) const GAP: usize = 16;
/// The pixels outside of a map.
pub(super) static ZEROS: [f32; DEPTH] = [0.0; DEPTH];

/// Whether a convolution can go this way, and is large enough to gain by it.
pub fn suits(shape: &ConvShape) -> bool {
    let lanes = transforms().lanes;
    let tiles = |size| Tiles::new(shape.batch, size).count();
    // The weights are transformed once per call, which many tiles must pay for. The larger the weight, the more: its
    // transform, 64 bytes for each pair of channels, does not stay in a cache. The numbers were chosen for the shapes of
    // UNets, where this way takes 0.6 to 0.8 of the direct one's time; they are not exact limits.
    let least = 32 + ((shape.in_channels * shape.out_channels) >> 13);
    shape.kernel == [3, 3]
        && shape.stride == [1, 1]
        && shape.dilation == [1, 1]
        && shape.groups == 1
        && shape.in_channels.is_multiple_of(lanes)
        && shape.out_channels.is_multiple_of(lanes)
        && tiles(shape.out_size).min(tiles(shape.in_size)) >= least
}

/// The forward pass; as [`conv2d`](super::conv2d::conv2d).
pub fn forward(shape: &ConvShape, x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let map = Map {
        batch: shape.batch,
        in_size: shape.in_size,
        depth: shape.in_channels,
        out_size: shape.out_size,
        columns: shape.out_channels,
        padding: shape.padding.map(|p| p as isize),
    };
    map.run(x, bias, y, |column, depth, lines| {
        for (tap, line) in lines.iter_mut().enumerate() {
            let from = (tap * shape.in_channels + depth) * shape.out_channels + column;
            let count = WIDEST.min(shape.out_channels - column);
            line[..count].copy_from_slice(&w[from..from + count]);
        }
    });
}

/// The data gradient; as [`conv2d_grad_input`](super::conv2d::conv2d_grad_input).
pub fn grad_input(shape: &ConvShape, dy: &[f32], w: &[f32], bias: Option<&[f32]>, dx: &mut [f32]) {
    let map = Map {
        batch: shape.batch,
        in_size: shape.out_size,
        depth: shape.out_channels,
        out_size: shape.in_size,
        columns: shape.in_channels,
        padding: shape.padding.map(|p| 2 - p as isize),
    };
    // The filter turned by half a turn, its sides swapped.
    map.run(dy, bias, dx, |column, depth, lines| {
        for (tap, line) in lines.iter_mut().enumerate() {
            let count = WIDEST.min(shape.in_channels - column);
            for (c, value) in line[..count].iter_mut().enumerate() {
                *value =
                    w[((8 - tap) * shape.in_channels + column + c) * shape.out_channels + depth];
            }
        }
    });
}

/// The 2x2 tiles of a batch of maps.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    batch: usize,
    size: [usize; 2],
}

impl Tiles {
    pub fn new(batch: usize, size: [usize; 2]) -> Self {
        Self {
            batch,
            size: size.map(|n| n.div_ceil(2)),
        }
    }

    pub fn count(self) -> usize {
        self.batch * self.size[0] * self.size[1]
    }

    /// Image, row and column of a tile.
    pub fn place(self, tile: usize) -> [usize; 3] {
        let [h, w] = self.size;
        [tile / (h * w), tile / w % h, tile % w]
    }
}

/// Images in memory, pixel by pixel.
#[derive(Clone, Copy)]
pub(super) struct FeatureMap<'a> {
    pub values: &'a [f32],
    pub size: [usize; 2],
    pub channels: usize,
}

impl FeatureMap<'_> {
    /// The pixels of a `K x K` window from `[top, left]` on, each from `channel` on; zeros outside of the map.
    pub fn window<const K: usize, const KK: usize>(
        &self,
        image: usize,
        channel: usize,
        [top, left]: [isize; 2],
    ) -> [*const f32; KK] {
        let size = self.size;
        std::array::from_fn(|k| {
            let (h, w) = (top + (k / K) as isize, left + (k % K) as isize);
            if h < 0 || w < 0 || h >= size[0] as isize || w >= size[1] as isize {
                return ZEROS.as_ptr();
            }
            let pixel = (image * size[0] + h as usize) * size[1] + w as usize;
            self.values[pixel * self.channels + channel..].as_ptr()
        })
    }
}

/// A convolution from one feature map to another.
struct Map {
    batch: usize,
    in_size: [usize; 2],
    depth: usize,
    out_size: [usize; 2],
    columns: usize,
    padding: [isize; 2],
}

/// How the work is cut.
struct Cut {
    tiles: Tiles,
    block: usize,
    depth: usize,
    depths: usize,
    width: usize,
    registers: usize,
    panels: usize,
}

impl Map {
    /// Transforms the weights, of which `taps(column, depth, lines)` gives the nine of some columns, then runs all tasks.
    fn run(
        &self,
        x: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        taps: impl Fn(usize, usize, &mut [[f32; WIDEST]; 9]) + Sync,
    ) {
        assert_eq!(
            x.len(),
            self.batch * self.in_size[0] * self.in_size[1] * self.depth
        );
        assert_eq!(
            y.len(),
            self.batch * self.out_size[0] * self.out_size[1] * self.columns
        );
        let lanes = transforms().lanes;
        let registers = if self.columns <= lanes { 1 } else { 2 };
        let (width, tiles) = (registers * lanes, Tiles::new(self.batch, self.out_size));
        let depths = self.depth.div_ceil(DEPTH);
        let cut = Cut {
            tiles,
            block: tiles.count().div_ceil(tiles.count().div_ceil(TILES)),
            depth: self.depth.div_ceil(depths),
            depths,
            width,
            registers,
            panels: self.columns.div_ceil(width),
        };
        let blocks = tiles.count().div_ceil(cut.block);
        let groups = cut.panels.div_ceil(PANELS);
        with_scratch(cut.panels * width, |starts: &mut [f32]| {
            starts.fill(0.0);
            if let Some(bias) = bias {
                starts[..self.columns].copy_from_slice(bias);
            }
            with_scratch(
                cut.panels * POINTS * self.depth * width,
                |weights: &mut [f32]| {
                    self.transform_weights(&cut, taps, weights);
                    let out = Shared::new(y);
                    (0..blocks * groups).into_par_iter().for_each(|task| {
                        let task = Task {
                            map: self,
                            cut: &cut,
                            x: FeatureMap {
                                values: x,
                                size: self.in_size,
                                channels: self.depth,
                            },
                            weights,
                            starts,
                            tile: task % blocks * cut.block,
                            panel: task / blocks * PANELS,
                        };
                        // SAFETY: tasks cover disjoint tiles or channels of `y`.
                        unsafe { task.run(out) }
                    });
                },
            );
        });
    }

    /// Fills `weights` as `[panel, point, depth, width]`.
    fn transform_weights(
        &self,
        cut: &Cut,
        taps: impl Fn(usize, usize, &mut [[f32; WIDEST]; 9]) + Sync,
        weights: &mut [f32],
    ) {
        const STEP: usize = 16;
        let to = Shared::new(weights);
        let steps = self.depth.div_ceil(STEP);
        (0..cut.panels * steps).into_par_iter().for_each(|index| {
            let (panel, first) = (index / steps, index % steps * STEP);
            let mut lines = [[0f32; WIDEST]; 9];
            for depth in first..(first + STEP).min(self.depth) {
                taps(panel * cut.width, depth, &mut lines);
                let at = (panel * POINTS * self.depth + depth) * cut.width;
                let job = Gather {
                    from: std::array::from_fn(|tap| lines[tap].as_ptr()),
                    to: to.from(at),
                    step: self.depth * cut.width,
                    channels: cut.width,
                };
                // SAFETY: lines and rows hold `width` elements; the table is this processor's.
                unsafe { (transforms().weight)(&job) }
            }
        });
    }
}

/// Values `[point, tile, step]` of transformed tiles, of which a tile may use less than `step`.
pub(super) struct Points<'a> {
    pub values: &'a mut [f32],
    pub step: usize,
}

/// A block of tiles by a few panels.
struct Task<'a> {
    map: &'a Map,
    cut: &'a Cut,
    x: FeatureMap<'a>,
    weights: &'a [f32],
    starts: &'a [f32],
    tile: usize,
    panel: usize,
}

impl Task<'_> {
    /// # Safety
    /// Nobody else touches this task's tiles and channels of `y`.
    unsafe fn run(&self, y: Shared<'_, f32>) {
        let cut = self.cut;
        let tiles = cut.block.min(cut.tiles.count() - self.tile);
        let panels = PANELS.min(cut.panels - self.panel);
        let (v_step, m_step) = (cut.depth + GAP, panels * cut.width + GAP);
        with_scratch(POINTS * tiles * v_step, |v: &mut [f32]| {
            with_scratch(POINTS * tiles * m_step, |m: &mut [f32]| {
                let mut v = Points {
                    values: v,
                    step: v_step,
                };
                let mut m = Points {
                    values: m,
                    step: m_step,
                };
                for block in 0..cut.depths {
                    let first = block * cut.depth;
                    let channels = first..(first + cut.depth).min(self.map.depth);
                    self.transform_input(tiles, &channels, &mut v);
                    self.multiply(tiles, panels, &channels, &v, &mut m);
                }
                // SAFETY: passed on from the caller.
                unsafe { self.transform_output(tiles, panels, &m, y) }
            });
        });
    }

    fn transform_input(&self, tiles: usize, channels: &Range<usize>, v: &mut Points<'_>) {
        let map = self.map;
        for tile in 0..tiles {
            let [image, i, j] = self.cut.tiles.place(self.tile + tile);
            let corner = [
                2 * i as isize - map.padding[0],
                2 * j as isize - map.padding[1],
            ];
            let job = Gather {
                from: self.x.window::<4, 16>(image, channels.start, corner),
                to: v.values[tile * v.step..].as_mut_ptr(),
                step: tiles * v.step,
                channels: channels.len(),
            };
            // SAFETY: each pixel holds the channels, each point a row for them; the table is this processor's.
            unsafe { (transforms().input)(&job) }
        }
    }

    fn multiply(
        &self,
        tiles: usize,
        panels: usize,
        channels: &Range<usize>,
        v: &Points<'_>,
        m: &mut Points<'_>,
    ) {
        let depth = channels.len();
        let (cut, table) = (self.cut, kernels::<f32>());
        let pieces = tiles.div_ceil(table.rows);
        for (point, panel) in
            (0..POINTS).flat_map(|point| (0..panels).map(move |panel| (point, panel)))
        {
            let row = ((self.panel + panel) * POINTS + point) * self.map.depth + channels.start;
            let w = self.weights[row * cut.width..][..depth * cut.width].as_ptr();
            let mut done = 0;
            for piece in 0..pieces {
                let rows = tiles / pieces + usize::from(piece < tiles % pieces);
                let at = point * tiles + done;
                let taps = [Tap {
                    x: v.values[at * v.step..].as_ptr(),
                    w,
                }];
                let job = PixelTile {
                    taps: taps.as_slice(),
                    depth,
                    x_step: v.step,
                    y: m.values[at * m.step + panel * cut.width..].as_mut_ptr(),
                    y_step: m.step,
                    width: cut.width,
                    add: channels.start > 0,
                    bias: std::ptr::null(),
                };
                // SAFETY: `v` and `m` hold `rows` tiles from `at` on; the table is this processor's.
                unsafe { table.pixels[cut.registers - 1][rows - 1](&job) }
                done += rows;
            }
        }
    }

    /// # Safety
    /// Nobody else touches this task's tiles and channels of `y`.
    unsafe fn transform_output(
        &self,
        tiles: usize,
        panels: usize,
        m: &Points<'_>,
        y: Shared<'_, f32>,
    ) {
        let (cut, map) = (self.cut, self.map);
        let column = self.panel * cut.width;
        let channels = (panels * cut.width).min(map.columns - column);
        for tile in 0..tiles {
            let [image, i, j] = cut.tiles.place(self.tile + tile);
            let job = Scatter {
                from: m.values[tile * m.step..].as_ptr(),
                step: tiles * m.step,
                bias: self.starts[column..].as_ptr(),
                to: std::array::from_fn(|k| {
                    let [h, w] = [2 * i + k / 2, 2 * j + k % 2];
                    if h >= map.out_size[0] || w >= map.out_size[1] {
                        return std::ptr::null_mut();
                    }
                    let pixel = (image * map.out_size[0] + h) * map.out_size[1] + w;
                    y.from(pixel * map.columns + column)
                }),
                channels,
            };
            // SAFETY: points and kept pixels hold `channels` elements; the table is this processor's.
            unsafe { (transforms().output)(&job) }
        }
    }
}
