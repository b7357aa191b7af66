//! `conv2d_grad_weight`: outer products of input and output-gradient pixels, summed in registers.
//!
//! The work is cut by channels, and by rows where the channels give too few pieces; the cut depends on the shape alone, so
//! that the sum has the same order on any number of threads.
//!
//! A piece goes through windows of output pixels. It copies the input under a window, zeros outside of the map, and packs
//! the gradient into panels; then it adds the window's products to the sums of every panel and tap. The window is read
//! once from memory and many times from cache. A sum has its products in the order of pixels within a window; windows
//! follow each other in memory order.

use rayon::prelude::*;

use super::conv_kernel::{Run, WeightTile, kernels};
use super::conv_shape::ConvShape;
use super::parts::{PIECES, in_parts};
use super::real::Real;
use super::scratch::with_scratch;
use super::shared::Shared;

/// Most input channels of a piece: a copied window of 256 pixels is then 64 KiB, and enough pieces are left for the threads.
const DEPTH: usize = 64;
/// Most bytes of sums of a piece. Every window adds to all of them, so that they should stay in the second-level cache
/// beside the window, of which 512 KiB is the least on the processors that this is made for. No other sizes have been
/// measured.
const SUM_BYTES: usize = 300 << 10;
/// Output pixels copied at a time: a tile adds up as many products before its sums go to memory.
const PIXELS: usize = 256;
/// Most output pixels copied in one row, so that a window of a wide map has several rows, which share their input under a
/// filter.
const COLUMNS: usize = 128;

/// `dw[kh, kw, i, o] = sum over n, h, w of x[n, h s + kh d - p, w s + kw d - p, i] dy[n, h, w, o]`.
pub fn conv2d_grad_weight<T: Real>(shape: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    assert_eq!(x.len(), shape.in_len());
    assert_eq!(dy.len(), shape.out_len());
    assert_eq!(dw.len(), shape.weight_len());
    if shape.out_len() == 0 || shape.in_len() == 0 {
        dw.fill(T::zero());
        return;
    }
    let cut = Cut::new::<T>(shape);
    let pieces = cut.parts * shape.groups * cut.depths * cut.column_groups;
    let len = dw.len();
    in_parts(dw, cut.parts, |to| {
        (0..pieces).into_par_iter().for_each(|index| {
            let piece = Piece {
                shape,
                cut: &cut,
                x,
                dy,
                part: index % cut.parts,
                group: index / cut.parts / (cut.depths * cut.column_groups),
                depth: index / cut.parts / cut.column_groups % cut.depths,
                columns: index / cut.parts % cut.column_groups,
            };
            // SAFETY: pieces write disjoint channels or parts.
            unsafe { piece.run(to.range(piece.part * len, len)) }
        });
    });
}

/// How the work is cut.
struct Cut {
    /// Runs of rows with partial sums of their own.
    parts: usize,
    rows: usize,
    /// Input channels of a piece, and how many such blocks.
    depth: usize,
    depths: usize,
    /// Output channels of a panel, its registers, panels of a piece, and how many such pieces.
    panel: usize,
    registers: usize,
    panels: usize,
    column_groups: usize,
    /// Whether the filter is unfolded into the channels of the copied input, for inputs of few channels.
    unfold: bool,
    /// Rows and columns of outputs copied at a time.
    step_rows: usize,
    step_columns: usize,
    /// Elements of a pixel of the copied input.
    pixel: usize,
}

impl Cut {
    fn new<T: Real>(shape: &ConvShape) -> Self {
        let size = size_of::<T>();
        let table = kernels::<T>();
        let lanes = table.panel / 2;
        // Few channels would leave most rows of a tile empty; the taps then count as channels.
        let unfold = shape.taps() > 1 && shape.group_in() * 2 < table.rows;
        let depths = shape.group_in().div_ceil(DEPTH);
        let depth = shape.group_in().div_ceil(depths);
        let registers = if shape.group_out() <= lanes { 1 } else { 2 };
        let panel = registers * lanes;
        let all_panels = shape.group_out().div_ceil(panel);
        let panels = (SUM_BYTES / (shape.taps() * depth * panel * size)).clamp(1, all_panels);
        let column_groups = all_panels.div_ceil(panels);
        let all_rows = shape.batch * shape.out_size[0];
        let wanted = PIECES
            .div_ceil(shape.groups * depths * column_groups)
            .min(all_rows);
        let rows = all_rows.div_ceil(wanted);
        let steps = shape.out_size[1].div_ceil(COLUMNS);
        let step_columns = shape.out_size[1].div_ceil(steps);
        let width = if unfold { shape.taps() * depth } else { depth };
        Self {
            parts: all_rows.div_ceil(rows),
            rows,
            depth,
            depths,
            panel,
            registers,
            panels,
            column_groups,
            unfold,
            step_rows: (PIXELS / step_columns).clamp(1, shape.out_size[0]),
            step_columns,
            // A pixel a multiple of 256 bytes apart from the next would crowd a few sets of the cache.
            pixel: if (width * size).is_multiple_of(256) {
                width + 64 / size
            } else {
                width
            },
        }
    }
}

/// Some channels of the weight, over some rows of the batch.
struct Piece<'a, T> {
    shape: &'a ConvShape,
    cut: &'a Cut,
    x: &'a [T],
    dy: &'a [T],
    part: usize,
    group: usize,
    depth: usize,
    columns: usize,
}

/// Output rows `row..row + rows` of an image, columns `column..column + columns`.
#[derive(Clone, Copy)]
struct Window {
    image: usize,
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
}

impl<T: Real> Piece<'_, T> {
    /// # Safety
    /// `to` holds a whole weight whose channels of this piece nobody else touches.
    unsafe fn run(&self, to: Shared<'_, T>) {
        let (s, cut) = (self.shape, self.cut);
        let depth = cut.depth.min(s.group_in() - self.depth * cut.depth);
        let first = self.columns * cut.panels * cut.panel;
        let width = (cut.panels * cut.panel).min(s.group_out() - first);
        let panels = width.div_ceil(cut.panel);
        let block = depth * cut.panel;
        let sums_len = s.taps() * panels * block;
        let copied =
            self.copied_rows(cut.step_rows) * self.copied_columns(cut.step_columns) * cut.pixel;
        let packed = cut.step_rows * cut.step_columns * cut.panel;
        with_scratch(sums_len, |sums: &mut [T]| {
            sums.fill(T::zero());
            with_scratch(copied, |copy: &mut [T]| {
                with_scratch(packed * panels, |dys: &mut [T]| {
                    let end = ((self.part + 1) * cut.rows).min(s.batch * s.out_size[0]);
                    let mut at = self.part * cut.rows;
                    while at < end {
                        let (image, row) = (at / s.out_size[0], at % s.out_size[0]);
                        let rows = cut.step_rows.min(end - at).min(s.out_size[0] - row);
                        for column in (0..s.out_size[1]).step_by(cut.step_columns) {
                            let columns = cut.step_columns.min(s.out_size[1] - column);
                            let window = Window {
                                image,
                                row,
                                rows,
                                column,
                                columns,
                            };
                            self.copy_input(window, depth, copy);
                            self.pack_gradient(window, first, width, dys);
                            self.accumulate(window, depth, panels, copy, dys, sums);
                        }
                        at += rows;
                    }
                });
            });
            for tap in 0..s.taps() {
                for panel in 0..panels {
                    let count = cut.panel.min(width - panel * cut.panel);
                    for d in 0..depth {
                        let from = ((panel * s.taps() + tap) * depth + d) * cut.panel;
                        let i = self.depth * cut.depth + d;
                        let o = self.group * s.group_out() + first + panel * cut.panel;
                        let at = (tap * s.group_in() + i) * s.out_channels + o;
                        // SAFETY: these weights belong to this piece.
                        unsafe { to.part(at, count) }.copy_from_slice(&sums[from..from + count]);
                    }
                }
            }
        });
    }

    /// Input rows under `rows` output rows.
    fn copied_rows(&self, rows: usize) -> usize {
        if self.cut.unfold {
            return rows;
        }
        (rows - 1) * self.shape.stride[0] + (self.shape.kernel[0] - 1) * self.shape.dilation[0] + 1
    }

    /// Input columns under `columns` output columns.
    fn copied_columns(&self, columns: usize) -> usize {
        if self.cut.unfold {
            return columns;
        }
        (columns - 1) * self.shape.stride[1]
            + (self.shape.kernel[1] - 1) * self.shape.dilation[1]
            + 1
    }

    /// The channels of this piece at input `(h, w)`, or `None` in the padding.
    fn pixel(&self, image: usize, h: isize, w: isize, depth: usize) -> Option<&[T]> {
        let s = self.shape;
        let inside = h >= 0 && w >= 0 && h < s.in_size[0] as isize && w < s.in_size[1] as isize;
        inside.then(|| {
            let pixel = (image * s.in_size[0] + h as usize) * s.in_size[1] + w as usize;
            let channel = self.group * s.group_in() + self.depth * self.cut.depth;
            &self.x[pixel * s.in_channels + channel..][..depth]
        })
    }

    fn copy_input(&self, window: Window, depth: usize, copy: &mut [T]) {
        let s = self.shape;
        let top = (window.row * s.stride[0]) as isize - s.padding[0] as isize;
        let left = (window.column * s.stride[1]) as isize - s.padding[1] as isize;
        let columns = self.copied_columns(window.columns);
        let pixels = copy.chunks_exact_mut(self.cut.pixel);
        for (index, to) in pixels
            .enumerate()
            .take(self.copied_rows(window.rows) * columns)
        {
            let (row, column) = (index / columns, index % columns);
            if self.cut.unfold {
                let line = s.kernel[1] * depth;
                for (a, to) in to.chunks_exact_mut(line).enumerate().take(s.kernel[0]) {
                    let h = top + (row * s.stride[0] + a * s.dilation[0]) as isize;
                    let w = left + (column * s.stride[1]) as isize;
                    self.unfold_line(window.image, [h, w], depth, to);
                }
            } else {
                let (h, w) = (top + row as isize, left + column as isize);
                match self.pixel(window.image, h, w, depth) {
                    Some(from) => to[..depth].copy_from_slice(from),
                    None => to[..depth].fill(T::zero()),
                }
            }
        }
    }

    /// The channels under one row of taps, the leftmost of which lies at `(h, w)`.
    fn unfold_line(&self, image: usize, [h, w]: [isize; 2], depth: usize, to: &mut [T]) {
        let s = self.shape;
        let end = w + s.kernel[1] as isize;
        // Neighbouring taps of all channels are contiguous.
        if depth == s.in_channels && s.dilation[1] == 1 && w >= 0 && end <= s.in_size[1] as isize {
            match self.pixel(image, h, w, 0) {
                Some(_) => {
                    let pixel = (image * s.in_size[0] + h as usize) * s.in_size[1] + w as usize;
                    to.copy_from_slice(&self.x[pixel * depth..][..to.len()]);
                }
                None => to.fill(T::zero()),
            }
            return;
        }
        for (b, to) in to.chunks_exact_mut(depth).enumerate() {
            match self.pixel(image, h, w + (b * s.dilation[1]) as isize, depth) {
                Some(from) => to.copy_from_slice(from),
                None => to.fill(T::zero()),
            }
        }
    }

    /// Packs the gradient's channels as `[panel, row, column, panel column]`.
    fn pack_gradient(&self, window: Window, first: usize, width: usize, dys: &mut [T]) {
        let (s, panel) = (self.shape, self.cut.panel);
        let pixels = window.rows * window.columns;
        for row in 0..window.rows {
            let pixel =
                (window.image * s.out_size[0] + window.row + row) * s.out_size[1] + window.column;
            for column in 0..window.columns {
                let from = (pixel + column) * s.out_channels + self.group * s.group_out() + first;
                for (p, line) in self.dy[from..from + width].chunks(panel).enumerate() {
                    let at = (p * pixels + row * window.columns + column) * panel;
                    let to = &mut dys[at..at + panel];
                    to[..line.len()].copy_from_slice(line);
                    if line.len() < panel {
                        to[line.len()..].fill(T::zero());
                    }
                }
            }
        }
    }

    fn accumulate(
        &self,
        window: Window,
        depth: usize,
        panels: usize,
        copy: &[T],
        dys: &[T],
        sums: &mut [T],
    ) {
        let (s, cut) = (self.shape, self.cut);
        let table = kernels::<T>();
        let columns = self.copied_columns(window.columns);
        let pixels = window.rows * window.columns;
        let taps = if cut.unfold { 1 } else { s.taps() };
        let rows_all = if cut.unfold { s.taps() * depth } else { depth };
        let tiles = rows_all.div_ceil(table.rows);
        let mut runs = Vec::with_capacity(window.rows);
        for panel in 0..panels {
            for tap in 0..taps {
                let (a, b) = (tap / s.kernel[1], tap % s.kernel[1]);
                let mut done = 0;
                for tile in 0..tiles {
                    let rows = rows_all / tiles + usize::from(tile < rows_all % tiles);
                    runs.clear();
                    for row in 0..window.rows {
                        let line = if cut.unfold {
                            row * columns
                        } else {
                            let h = row * s.stride[0] + a * s.dilation[0];
                            let at =
                                (window.row * s.stride[0] + h) as isize - s.padding[0] as isize;
                            if at < 0 || at >= s.in_size[0] as isize {
                                continue;
                            }
                            h * columns + b * s.dilation[1]
                        };
                        runs.push(Run {
                            x: copy[line * cut.pixel + done..].as_ptr(),
                            dy: dys[(panel * pixels + row * window.columns) * cut.panel..].as_ptr(),
                        });
                    }
                    let at = ((panel * taps + tap) * rows_all + done) * cut.panel;
                    let job = WeightTile {
                        runs: runs.as_slice(),
                        count: window.columns,
                        x_step: if cut.unfold {
                            cut.pixel
                        } else {
                            s.stride[1] * cut.pixel
                        },
                        dw: sums[at..at + rows * cut.panel].as_mut_ptr(),
                    };
                    // SAFETY: the copies hold `count` pixels from each run's start; the table is this processor's.
                    unsafe { table.weights[cut.registers - 1][rows - 1](&job) }
                    done += rows;
                }
            }
        }
    }
}
