//! A volume's way through a trained network and back: slices in, labels out.

use super::error::DataError;
use super::header::{Geometry, require_same_place};
use super::place::Rect;
use super::preprocess::{SLICE_BYTES, crops, cut_image, filter};
use super::resize::bilinear;
use super::volume::{Labels, Volume, room_for};
use hqcc_compiler::experiment::{Preprocessing, Task};
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;

/// One input of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceInput {
    /// Slice of the volume.
    pub slice: usize,
    /// Where on the slice.
    pub rect: Rect,
    /// Rows and columns of the image.
    pub size: [usize; 2],
    /// Grey values, preprocessed as in training; `[size[0] * size[1]]`.
    pub image: Vec<f32>,
}

/// The inputs of some slices of a volume, in order, resized to `size` (`None`: each as large as what it is cut from). Every
/// slice counts, whatever `select` says.
///
/// Kidney task: one whole slice each, and `labels` are not looked at. Tumour task: the padded crops around the components
/// of `labels`, with or without a known tumour; a slice without labels gives none.
///
/// # Errors
/// `NoLabels` for the tumour task without labels, `ShapeMismatch`, `AffineMismatch`, `Memory`.
pub fn inputs(
    volume: &Volume,
    labels: Option<&Labels>,
    slices: Range<usize>,
    settings: &Preprocessing,
    size: Option<[usize; 2]>,
) -> Result<Vec<SliceInput>, DataError> {
    let [count, rows, columns] = volume.geometry.shape;
    let shape = [rows, columns];
    let labels = match (settings.task, labels) {
        (Task::Kidney, _) => None,
        (Task::Tumor, None) => {
            return Err(DataError::NoLabels {
                path: volume.path.clone(),
            });
        }
        (Task::Tumor, Some(l)) => {
            let mask = (l.path.as_path(), &l.geometry);
            require_same_place((&volume.path, &volume.geometry), mask)?;
            Some(l)
        }
    };
    // An allocation that fails within the threads below would end the process.
    let threads = rayon::current_num_threads().min(count);
    room_for::<u8>(&volume.path, rows * columns * SLICE_BYTES * threads)?;
    let of_slice = |z: usize| {
        let rects = match labels {
            None => vec![Rect::whole(shape)],
            Some(l) => crops(l.slice(z), shape, settings.crop)
                .into_iter()
                .map(|r| r.grown(settings.pad, shape))
                .collect(),
        };
        if rects.is_empty() {
            return Vec::new();
        }
        let filtered = filter(&volume.slice(z), shape, settings);
        let input = |rect: Rect| {
            let size = size.unwrap_or(rect.shape());
            SliceInput {
                slice: z,
                rect,
                size,
                image: cut_image(&filtered, columns, rect, size),
            }
        };
        rects.into_iter().map(input).collect()
    };
    let found: Vec<Vec<SliceInput>> = (slices.start..slices.end.min(count))
        .into_par_iter()
        .map(of_slice)
        .collect();
    Ok(found.into_iter().flatten().collect())
}

/// A label volume that grows from the network's answers.
#[derive(Clone, Debug)]
pub struct MaskBuilder {
    geometry: Geometry,
    labels: Vec<u8>,
    label: u8,
}

impl MaskBuilder {
    /// Starts for a volume: empty for the kidney task (label 1); for the tumour task (label 2) from `labels`, whose
    /// tumours count as kidney until they are found.
    ///
    /// # Errors
    /// `Memory`.
    pub fn new(
        volume: &Volume,
        labels: Option<&Labels>,
        settings: &Preprocessing,
    ) -> Result<Self, DataError> {
        let geometry = &volume.geometry;
        let count = geometry.voxels();
        let mut mask = room_for(&volume.path, count)?;
        let label = match settings.task {
            Task::Kidney => 1,
            Task::Tumor => {
                let kidneys = labels.filter(|l| l.geometry.shape == geometry.shape);
                mask.extend(
                    kidneys
                        .into_iter()
                        .flat_map(|l| &l.voxels)
                        .map(|v| (*v).min(1)),
                );
                2
            }
        };
        mask.resize(count, 0);
        Ok(MaskBuilder {
            geometry: geometry.clone(),
            labels: mask,
            label,
        })
    }

    /// Adds the network's answer to one input: resized back (bilinear, half-pixel centres) and labelled where it
    /// exceeds `threshold`. Where inputs overlap, one of them suffices.
    ///
    /// - Shapes: `probabilities: [size[0] * size[1]]`
    ///
    /// # Errors
    /// `NoProbability` where one is not finite; nothing is added then.
    pub fn add(
        &mut self,
        slice: usize,
        rect: Rect,
        probabilities: &[f32],
        size: [usize; 2],
        threshold: f32,
    ) -> Result<(), DataError> {
        if let Some(&value) = probabilities.iter().find(|p| !p.is_finite()) {
            return Err(DataError::NoProbability { slice, value });
        }
        let [_, rows, columns] = self.geometry.shape;
        let there = bilinear(probabilities, size, rect.shape());
        let width = rect.shape()[1];
        let plane = &mut self.labels[slice * rows * columns..][..rows * columns];
        for (line, y) in there.chunks_exact(width).zip(rect.y0..) {
            let to = &mut plane[y * columns + rect.x0..][..width];
            for (l, p) in to.iter_mut().zip(line) {
                if *p > threshold {
                    *l = self.label;
                }
            }
        }
        Ok(())
    }

    /// The labels so far; [slice, row, column].
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Writes the labels as NIfTI with the shape, affine and codes of the volume.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        Labels::write(path, &self.geometry, &self.labels)
    }
}
