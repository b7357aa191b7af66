//! `conv2d` and its data gradient: implicit matrix products over pixels, without an unfolded copy of the input.
//!
//! Both are sums over taps: output pixel `(i, j)` of a grid takes input pixel `(i s + dh, j s + dw)` under each tap. The
//! forward pass is one grid; the data gradient of a strided convolution is one grid per remainder modulo the stride.
//! Input rows pass through a ring of zero-padded copies in cache, so that the inner loop has no case for the border.
//! Weights are packed once per call as `[depth block, panel, tap, depth, column]`, the order in which a tile reads them.
//!
//! A task goes through blocks of channels, then rows, then panels, then tiles of a row. The rows of a block stay in cache
//! for all panels, a panel's weights for all tiles of a row. Each output is summed in registers over the taps, then the
//! channels of a block; only between blocks the sum goes to memory.

use rayon::prelude::*;

use super::conv_kernel::{PixelTile, Tap, kernels};
use super::conv_shape::ConvShape;
use super::real::Real;
use super::scratch::with_scratch;
use super::shared::Shared;

/// Most channels summed over before the partial sums go to memory. A panel of 32 columns then takes 32 KiB for each tap,
/// which passes through the first-level cache once per row tile.
const DEPTH_BLOCK: usize = 256;
/// Most bytes of packed weights that a task goes through for each row. They are read again for the next row, so that they
/// should stay in the second-level cache: with [`ROW_BYTES`] about 1 MiB, made for processors with 1 to 2 MiB for each
/// core. Both only decide how the work is cut: a smaller cache costs time, and no other sizes have been measured.
const WEIGHT_BYTES: usize = 600 << 10;
/// Most bytes of the input rows under a filter, in one block of channels; they are used by every row that the filter
/// reaches and by every panel, so that they should stay in the second-level cache beside the weights.
const ROW_BYTES: usize = 460 << 10;
/// Output pixels of a task, about: eight rows of a map 256 wide. A task copies the rows above and below its own as well,
/// two for a filter of 3x3; a map of 256 x 256 still gives 32 tasks.
const TASK_PIXELS: usize = 2048;

/// `y[n, h, w, o] = bias[o] + sum of x[n, h s + kh d - p, w s + kw d - p, i] w[kh, kw, i, o]`.
pub fn conv2d<T: Real>(shape: &ConvShape, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let [kh, kw] = shape.kernel;
    let mut taps = Vec::with_capacity(kh * kw);
    for a in 0..kh {
        for b in 0..kw {
            taps.push(TapAt {
                dh: (a * shape.dilation[0]) as isize - shape.padding[0] as isize,
                dw: (b * shape.dilation[1]) as isize - shape.padding[1] as isize,
                weight: a * kw + b,
            });
        }
    }
    let grid = Grid {
        start: [0, 0],
        step: [1, 1],
        count: shape.out_size,
        taps,
    };
    let (rows, outs) = (shape.group_in(), shape.out_channels);
    let map = Map {
        batch: shape.batch,
        src: Side {
            size: shape.in_size,
            channels: shape.in_channels,
            group: shape.group_in(),
        },
        dst: Side {
            size: shape.out_size,
            channels: shape.out_channels,
            group: shape.group_out(),
        },
        groups: shape.groups,
        stride: shape.stride,
    };
    let strides = WeightStrides {
        tap: rows * outs,
        depth: outs,
        column: 1,
        group: shape.group_out(),
    };
    correlate(&map, &grid, x, w, &strides, bias, y);
}

/// `dx[n, h, w, i] = sum of dy[n, a, b, o] w[kh, kw, i, o]` over all that `x[n, h, w, i]` went into.
pub fn conv2d_grad_input<T: Real>(
    shape: &ConvShape,
    dy: &[T],
    w: &[T],
    bias: Option<&[T]>,
    dx: &mut [T],
) {
    let map = Map {
        batch: shape.batch,
        src: Side {
            size: shape.out_size,
            channels: shape.out_channels,
            group: shape.group_out(),
        },
        dst: Side {
            size: shape.in_size,
            channels: shape.in_channels,
            group: shape.group_in(),
        },
        groups: shape.groups,
        stride: [1, 1],
    };
    let strides = WeightStrides {
        tap: shape.group_in() * shape.out_channels,
        depth: 1,
        column: shape.out_channels,
        group: shape.group_out(),
    };
    // Output `a` meets input `h` under tap `k` where a s = h + p - k d.
    let along = |axis: usize, start: usize| {
        let [p, s, d] = [
            shape.padding[axis],
            shape.stride[axis],
            shape.dilation[axis],
        ]
        .map(|v| v as isize);
        (0..shape.kernel[axis]).filter_map(move |k| {
            let offset = start as isize + p - k as isize * d;
            (offset.rem_euclid(s) == 0).then_some((k, offset.div_euclid(s)))
        })
    };
    for h in 0..shape.stride[0].min(shape.in_size[0]) {
        for v in 0..shape.stride[1].min(shape.in_size[1]) {
            let taps = along(0, h)
                .flat_map(|(a, dh)| {
                    along(1, v).map(move |(b, dw)| TapAt {
                        dh,
                        dw,
                        weight: a * shape.kernel[1] + b,
                    })
                })
                .collect();
            let start = [h, v];
            let count =
                [0, 1].map(|axis| (shape.in_size[axis] - start[axis]).div_ceil(shape.stride[axis]));
            let grid = Grid {
                start,
                step: shape.stride,
                count,
                taps,
            };
            correlate(&map, &grid, dy, w, &strides, bias, dx);
        }
    }
}

/// A tap: the offset of its input pixel from `(i s, j s)`, and its index in the filter.
struct TapAt {
    dh: isize,
    dw: isize,
    weight: usize,
}

/// Output pixels `start + (i, j) step` that share their taps.
struct Grid {
    start: [usize; 2],
    step: [usize; 2],
    count: [usize; 2],
    taps: Vec<TapAt>,
}

/// One side of a convolution: size, channels, and channels of a group.
struct Side {
    size: [usize; 2],
    channels: usize,
    group: usize,
}

/// From which side to which, and how far the input moves for each step of the grid.
struct Map {
    batch: usize,
    src: Side,
    dst: Side,
    groups: usize,
    stride: [usize; 2],
}

/// Index of weight `(tap, depth, column)` of a group.
struct WeightStrides {
    tap: usize,
    depth: usize,
    column: usize,
    group: usize,
}

/// How the work of a grid is cut.
struct Blocks {
    /// Channels summed over at a time, and how often.
    depth: usize,
    depths: usize,
    /// Panels of output channels, and how many a task keeps in cache.
    panel: usize,
    registers: usize,
    panels: usize,
    group_panels: usize,
    /// Elements of one packed (depth block, panel, tap).
    packed: usize,
    /// Leftmost column a tap reaches, columns of a row copy, and elements of a pixel in it.
    left: isize,
    columns: usize,
    pixel: usize,
    /// Row copies in the ring; 0 when tiles read the input itself.
    ring: usize,
    /// Rows of the flattened (image, row) axis in a task.
    rows: usize,
}

impl Blocks {
    fn new<T: Real>(map: &Map, grid: &Grid, lanes: usize) -> Self {
        let size = size_of::<T>();
        let [low_h, high_h] = extremes(grid.taps.iter().map(|t| t.dh));
        let [left, right] = extremes(grid.taps.iter().map(|t| t.dw));
        let last = ((grid.count[1] - 1) * map.stride[1]) as isize;
        let inside = left >= 0 && last + right < map.src.size[1] as isize;
        // Pixels a multiple of 4096 bytes apart share one set of the first-level cache (64 sets of 64 bytes).
        let direct = inside && !(map.src.channels * map.stride[1] * size).is_multiple_of(4096);
        let columns = (last + right - left + 1) as usize;
        let rows_kept = (high_h - low_h + 1) as usize;

        let taps = grid.taps.len().max(1);
        let mut most = (WEIGHT_BYTES / (taps * 2 * lanes * size)).min(DEPTH_BLOCK);
        if !direct {
            most = most.min(ROW_BYTES / (rows_kept * columns * size));
        }
        // Whole cache lines of single precision.
        let most = (most / 16 * 16).max(16);
        let depths = map.src.group.div_ceil(most);
        let depth = map.src.group.div_ceil(depths);

        let registers = if map.dst.group <= lanes { 1 } else { 2 };
        let panel = registers * lanes;
        let panels = map.dst.group.div_ceil(panel);
        let packed = depth * panel;
        let group_panels = (WEIGHT_BYTES / (taps * packed * size)).clamp(1, panels);
        // A pixel a multiple of 256 bytes apart from the next would crowd a few sets of the cache.
        let pixel = if (depth * size).is_multiple_of(256) {
            depth + 64 / size
        } else {
            depth
        };
        let all = map.batch * grid.count[0];
        let wanted = (TASK_PIXELS / grid.count[1]).clamp(1, all);
        Self {
            depth,
            depths,
            panel,
            registers,
            panels,
            group_panels,
            packed,
            left,
            columns,
            pixel,
            ring: if direct { 0 } else { rows_kept },
            rows: all.div_ceil(all.div_ceil(wanted)),
        }
    }
}

fn extremes(values: impl Iterator<Item = isize>) -> [isize; 2] {
    let (mut low, mut high) = (isize::MAX, isize::MIN);
    for value in values {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high { [0, 0] } else { [low, high] }
}

/// Sums over the taps of `grid`, group by group.
fn correlate<T: Real>(
    map: &Map,
    grid: &Grid,
    x: &[T],
    w: &[T],
    strides: &WeightStrides,
    bias: Option<&[T]>,
    y: &mut [T],
) {
    if map.batch * grid.count[0] * grid.count[1] == 0 {
        return;
    }
    let lanes = kernels::<T>().panel / 2;
    let blocks = Blocks::new::<T>(map, grid, lanes);
    let chunk = grid.taps.len() * blocks.packed;
    let total = blocks.depths * blocks.panels * chunk;

    assert_eq!(
        y.len(),
        map.batch * map.dst.size[0] * map.dst.size[1] * map.dst.channels
    );
    assert_eq!(
        x.len(),
        map.batch * map.src.size[0] * map.src.size[1] * map.src.channels
    );
    let out = Shared::new(y);
    with_scratch(total, |packed: &mut [T]| {
        with_scratch(blocks.panels * blocks.panel, |starts: &mut [T]| {
            for group in 0..map.groups {
                let columns = map.dst.group;
                starts.fill(T::zero());
                if let Some(bias) = bias {
                    starts[..columns]
                        .copy_from_slice(&bias[group * columns..(group + 1) * columns]);
                }
                pack(map, grid, &blocks, w, strides, group, packed);
                let row_tasks = (map.batch * grid.count[0]).div_ceil(blocks.rows);
                let panel_tasks = blocks.panels.div_ceil(blocks.group_panels);
                (0..row_tasks * panel_tasks)
                    .into_par_iter()
                    .for_each(|task| {
                        let first = task / row_tasks * blocks.group_panels;
                        let work = Task {
                            map,
                            grid,
                            blocks: &blocks,
                            x,
                            packed,
                            starts,
                            group,
                            panels: first..(first + blocks.group_panels).min(blocks.panels),
                            row: task % row_tasks * blocks.rows,
                        };
                        // SAFETY: tasks cover disjoint rows or channels of `y`.
                        unsafe { work.run(out) }
                    });
            }
        });
    });
}

/// Packs the weights of a group as `[depth block, panel, tap, depth, panel column]`, absent columns zero.
fn pack<T: Real>(
    map: &Map,
    grid: &Grid,
    blocks: &Blocks,
    w: &[T],
    strides: &WeightStrides,
    group: usize,
    packed: &mut [T],
) {
    let taps = grid.taps.len();
    if taps == 0 {
        return;
    }
    packed
        .par_chunks_exact_mut(blocks.packed)
        .enumerate()
        .for_each(|(index, to)| {
            let (block, panel, tap) = (
                index / (blocks.panels * taps),
                index / taps % blocks.panels,
                index % taps,
            );
            let depth = block * blocks.depth..((block + 1) * blocks.depth).min(map.src.group);
            let column = panel * blocks.panel..((panel + 1) * blocks.panel).min(map.dst.group);
            let base = grid.taps[tap].weight * strides.tap + group * strides.group;
            if column.len() < blocks.panel {
                to.fill(T::zero());
            }
            if strides.column == 1 {
                for (d, line) in depth.zip(to.chunks_exact_mut(blocks.panel)) {
                    let from = base + d * strides.depth + column.start;
                    line[..column.len()].copy_from_slice(&w[from..from + column.len()]);
                }
            } else {
                for (c, at) in column.zip(0..) {
                    let from = base + c * strides.column;
                    let line = &w[from + depth.start..from + depth.end];
                    for (value, slot) in line.iter().zip(to[at..].iter_mut().step_by(blocks.panel))
                    {
                        *slot = *value;
                    }
                }
            }
        });
}

/// Rows of a grid by panels of output channels.
struct Task<'a, T> {
    map: &'a Map,
    grid: &'a Grid,
    blocks: &'a Blocks,
    x: &'a [T],
    packed: &'a [T],
    starts: &'a [T],
    group: usize,
    panels: std::ops::Range<usize>,
    row: usize,
}

impl<T: Real> Task<'_, T> {
    /// # Safety
    /// Nobody else touches this task's rows and channels of `y`.
    unsafe fn run(&self, y: Shared<'_, T>) {
        let b = self.blocks;
        let end = (self.row + b.rows).min(self.map.batch * self.grid.count[0]);
        with_scratch(b.ring * b.columns * b.pixel, |ring: &mut [T]| {
            let mut held = vec![usize::MAX; b.ring];
            let mut taps = Vec::with_capacity(self.grid.taps.len());
            for block in 0..b.depths {
                held.fill(usize::MAX);
                for row in self.row..end {
                    // SAFETY: passed on from the caller.
                    unsafe { self.row(row, block, ring, &mut held, &mut taps, y) }
                }
            }
        });
    }

    unsafe fn row(
        &self,
        row: usize,
        block: usize,
        ring: &mut [T],
        held: &mut [usize],
        taps: &mut Vec<(Tap<T>, usize)>,
        y: Shared<'_, T>,
    ) {
        let (b, src, dst) = (self.blocks, &self.map.src, &self.map.dst);
        let (image, i) = (row / self.grid.count[0], row % self.grid.count[0]);
        let depth = b.depth.min(src.group - block * b.depth);
        let channel = self.group * src.group + block * b.depth;
        taps.clear();
        for (index, tap) in self.grid.taps.iter().enumerate() {
            let h = (i * self.map.stride[0]) as isize + tap.dh;
            if h < 0 || h >= src.size[0] as isize {
                continue;
            }
            let h = h as usize;
            let id = image * src.size[0] + h;
            let line = id * src.size[1] * src.channels + channel;
            let x = if b.ring == 0 {
                self.x[line + tap.dw as usize * src.channels..].as_ptr()
            } else {
                let slot = h % b.ring;
                let copy = &mut ring[slot * b.columns * b.pixel..][..b.columns * b.pixel];
                if held[slot] != id {
                    held[slot] = id;
                    copy_row(&self.x[line..], src, b, depth, copy);
                }
                copy[(tap.dw - b.left) as usize * b.pixel..].as_ptr()
            };
            let w = std::ptr::null();
            taps.push((Tap { x, w }, index));
        }
        let x_step = self.map.stride[1] * if b.ring == 0 { src.channels } else { b.pixel };
        let y_step = self.grid.step[1] * dst.channels;
        let line = (image * dst.size[0] + self.grid.start[0] + i * self.grid.step[0]) * dst.size[1]
            + self.grid.start[1];
        let table = kernels::<T>();
        let count = self.grid.count[1];
        let tiles = count.div_ceil(table.rows);
        let mut tile_taps = Vec::with_capacity(taps.len());
        for panel in self.panels.clone() {
            let weights =
                &self.packed[(block * b.panels + panel) * self.grid.taps.len() * b.packed..];
            let column = self.group * dst.group + panel * b.panel;
            let mut done = 0;
            for tile in 0..tiles {
                let rows = count / tiles + usize::from(tile < count % tiles);
                tile_taps.clear();
                for (tap, index) in taps.iter() {
                    // SAFETY: the row holds all `count` pixels under the tap.
                    let x = unsafe { tap.x.add(done * x_step) };
                    let w = weights[index * b.packed..].as_ptr();
                    tile_taps.push(Tap { x, w });
                }
                let job = PixelTile {
                    taps: tile_taps.as_slice(),
                    depth,
                    x_step,
                    y: y.from(line * dst.channels + column + done * y_step),
                    y_step,
                    width: b.panel.min(dst.group - panel * b.panel),
                    add: block > 0,
                    bias: if block == 0 {
                        self.starts[panel * b.panel..].as_ptr()
                    } else {
                        std::ptr::null()
                    },
                };
                // SAFETY: taps and output hold what the job says; the table is this processor's.
                unsafe { table.pixels[b.registers - 1][rows - 1](&job) }
                done += rows;
            }
        }
    }
}

/// Copies `depth` channels of a row, zeros left and right of it.
fn copy_row<T: Real>(from: &[T], src: &Side, b: &Blocks, depth: usize, to: &mut [T]) {
    for (index, pixel) in to.chunks_exact_mut(b.pixel).enumerate() {
        let column = index as isize + b.left;
        let pixel = &mut pixel[..depth];
        if column < 0 || column >= src.size[1] as isize {
            pixel.fill(T::zero());
        } else {
            let at = column as usize * src.channels;
            pixel.copy_from_slice(&from[at..at + depth]);
        }
    }
}
