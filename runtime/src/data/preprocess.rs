//! From a slice in Hounsfield units to samples: window, mean, median, scale, select, crop, resize.

use super::error::DataError;
use super::filters::{mean_f32, mean_u8, median_f32, median_u8};
use super::header::require_same_place;
use super::place::{Place, Rect};
use super::resize::{bilinear, nearest};
use super::volume::{Labels, Volume, room_for};
use hqcc_compiler::experiment::{Crop, KidneyMask, Mode, Preprocessing, Select, Task};
use rayon::prelude::*;

/// Bytes that a pixel of a slice takes while it is preprocessed: its value as f64 and three steps as f32 at most.
pub(super) const SLICE_BYTES: usize = 20;

/// A preprocessed sample and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its position in the volume.
    pub place: Place,
    /// Grey values; [rows, columns] of `Preprocessing::size`.
    pub image: Vec<f32>,
    /// 1 on the target, otherwise 0; same shape.
    pub mask: Vec<u8>,
}

/// Maps `window` to 0..=255: floor((v - lo) / (hi - lo) * 255 + 0.5).
pub fn window_u8(hu: &[f64], [lo, hi]: [f64; 2]) -> Vec<u8> {
    hu.iter()
        .map(|v| ((v.clamp(lo, hi) - lo) / (hi - lo) * 255.0 + 0.5).floor() as u8)
        .collect()
}

/// Maps `window` to 0..=1.
pub fn window_f32(hu: &[f64], [lo, hi]: [f64; 2]) -> Vec<f32> {
    hu.iter()
        .map(|v| ((v.clamp(lo, hi) - lo) / (hi - lo)) as f32)
        .collect()
}

/// Window, mean and median of one full slice, as floating point in 0..=1.
///
/// - Shapes: `hu: [rows * columns] -> [rows * columns]`
/// - Source: data/kits19.md, steps 1 to 4.
pub fn filter(hu: &[f64], shape: [usize; 2], settings: &Preprocessing) -> Vec<f32> {
    match settings.mode {
        Mode::U8 => {
            let u = window_u8(hu, settings.window);
            let u = mean_u8(&u, shape, settings.mean);
            let u = median_u8(&u, shape, settings.median);
            u.into_iter().map(|v| f32::from(v) / 255.0).collect()
        }
        Mode::F32 => {
            let v = window_f32(hu, settings.window);
            let v = mean_f32(&v, shape, settings.mean);
            median_f32(&v, shape, settings.median)
        }
    }
}

/// Whether a slice with these labels becomes a sample.
pub fn selected(labels: &[u8], settings: &Preprocessing) -> bool {
    let count = |f: fn(u8) -> bool| labels.iter().filter(|l| f(**l)).count();
    let least = settings.min_pixels;
    match settings.select {
        Select::All => true,
        Select::Any => count(|l| l > 0) >= least,
        Select::Kidney => count(|l| l == 1) >= least,
        Select::Tumor => count(|l| l == 2) >= least,
    }
}

/// 1 where a label is the task's target, otherwise 0.
pub fn target(labels: &[u8], settings: &Preprocessing) -> Vec<u8> {
    let is: fn(u8) -> bool = match (settings.task, settings.kidney_mask) {
        (Task::Tumor, _) => |l| l == 2,
        (Task::Kidney, KidneyMask::Union) => |l| l > 0,
        (Task::Kidney, KidneyMask::Strict) => |l| l == 1,
    };
    labels.iter().map(|l| u8::from(is(*l))).collect()
}

/// The rectangles of a slice that become samples: all of it for kidneys, the padded crops for tumours.
pub fn rectangles(labels: &[u8], shape: [usize; 2], settings: &Preprocessing) -> Vec<Rect> {
    match settings.task {
        Task::Kidney => vec![Rect::whole(shape)],
        Task::Tumor => crops(labels, shape, settings.crop)
            .into_iter()
            .filter(|r| r.cut(labels, shape[1]).contains(&2))
            .map(|r| r.grown(settings.pad, shape))
            .collect(),
    }
}

/// Tight rectangles around the labels of a slice, whether or not they hold a tumour.
///
/// Components are 8-connected and come in raster order of their first pixel.
pub fn crops(labels: &[u8], [rows, columns]: [usize; 2], crop: Crop) -> Vec<Rect> {
    let mut seen = vec![false; labels.len()];
    let mut found: Vec<Rect> = Vec::new();
    let mut stack = Vec::new();
    for start in 0..labels.len() {
        if labels[start] == 0 || seen[start] {
            continue;
        }
        let (y, x) = (start / columns, start % columns);
        let mut r = Rect {
            y0: y,
            y1: y + 1,
            x0: x,
            x1: x + 1,
        };
        seen[start] = true;
        stack.push((y, x));
        while let Some((y, x)) = stack.pop() {
            r.y1 = r.y1.max(y + 1);
            r.x0 = r.x0.min(x);
            r.x1 = r.x1.max(x + 1);
            for v in y.saturating_sub(1)..(y + 2).min(rows) {
                for u in x.saturating_sub(1)..(x + 2).min(columns) {
                    let at = v * columns + u;
                    if labels[at] > 0 && !seen[at] {
                        seen[at] = true;
                        stack.push((v, u));
                    }
                }
            }
        }
        found.push(r);
    }
    let union = |a: Rect, b: Rect| Rect {
        y0: a.y0.min(b.y0),
        y1: a.y1.max(b.y1),
        x0: a.x0.min(b.x0),
        x1: a.x1.max(b.x1),
    };
    match crop {
        Crop::Component => found,
        Crop::Union => found.into_iter().reduce(union).into_iter().collect(),
    }
}

/// Cuts a filtered slice and resizes it to the network's input.
///
/// - Shapes: `filtered: [rows * columns] -> [size[0] * size[1]]`
pub fn cut_image(filtered: &[f32], columns: usize, rect: Rect, size: [usize; 2]) -> Vec<f32> {
    bilinear(&rect.cut(filtered, columns), rect.shape(), size)
}

/// All samples of one slice.
fn slice_records(
    volume: &Volume,
    labels: &Labels,
    z: usize,
    settings: &Preprocessing,
) -> Vec<Record> {
    let [_, rows, columns] = volume.geometry.shape;
    let here = labels.slice(z);
    if !selected(here, settings) {
        return Vec::new();
    }
    let rects = rectangles(here, [rows, columns], settings);
    if rects.is_empty() {
        return Vec::new();
    }
    let filtered = filter(&volume.slice(z), [rows, columns], settings);
    let target = target(here, settings);
    rects
        .into_iter()
        .map(|rect| Record {
            place: Place::new(z, rect, settings.size, volume.geometry.spacing),
            image: cut_image(&filtered, columns, rect, settings.size),
            mask: nearest(&rect.cut(&target, columns), rect.shape(), settings.size),
        })
        .collect()
}

/// All samples of a case, in order of slice and rectangle. Slices are worked on in parallel.
///
/// # Errors
/// `ShapeMismatch`, `AffineMismatch`, `Memory`.
pub fn case_records(
    volume: &Volume,
    labels: &Labels,
    settings: &Preprocessing,
) -> Result<Vec<Record>, DataError> {
    let mask = (labels.path.as_path(), &labels.geometry);
    require_same_place((&volume.path, &volume.geometry), mask)?;
    // An allocation that fails within the threads below would end the process.
    let [count, rows, columns] = volume.geometry.shape;
    let threads = rayon::current_num_threads().min(count);
    room_for::<u8>(&volume.path, rows * columns * SLICE_BYTES * threads)?;
    let slices: Vec<Vec<Record>> = (0..count)
        .into_par_iter()
        .map(|z| slice_records(volume, labels, z, settings))
        .collect();
    Ok(slices.into_iter().flatten().collect())
}
