//! The position of a sample in its volume.

use serde::{Deserialize, Serialize};

/// A rectangle of a slice: rows y0..y1, columns x0..x1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rect {
    /// First row.
    pub y0: usize,
    /// Row after the last.
    pub y1: usize,
    /// First column.
    pub x0: usize,
    /// Column after the last.
    pub x1: usize,
}

impl Rect {
    /// The whole of a slice.
    pub fn whole([rows, columns]: [usize; 2]) -> Rect {
        Rect {
            y0: 0,
            y1: rows,
            x0: 0,
            x1: columns,
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.y1 - self.y0, self.x1 - self.x0]
    }

    /// The pixels inside, of an image of `columns` columns.
    pub fn cut<T: Copy>(&self, image: &[T], columns: usize) -> Vec<T> {
        (self.y0..self.y1)
            .flat_map(|y| &image[y * columns + self.x0..y * columns + self.x1])
            .copied()
            .collect()
    }

    /// Larger by `by` pixels on each side, within the slice.
    pub fn grown(&self, by: usize, [rows, columns]: [usize; 2]) -> Rect {
        Rect {
            y0: self.y0.saturating_sub(by),
            y1: (self.y1 + by).min(rows),
            x0: self.x0.saturating_sub(by),
            x1: (self.x1 + by).min(columns),
        }
    }
}

/// One sample's place in its volume.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Slice of the volume.
    pub slice: usize,
    /// Where on the slice.
    pub rect: Rect,
    /// Distance between slices, and between rows and columns of the sample. Units: millimetres.
    pub spacing: [f64; 3],
}

impl Place {
    /// The place of a sample of `size` rows and columns that shows a rectangle of a slice. `spacing` is that of the volume.
    pub fn new(slice: usize, rect: Rect, size: [usize; 2], spacing: [f64; 3]) -> Place {
        let [rows, columns] = rect.shape();
        let per_pixel = |shown: usize, pixels: usize| shown as f64 / pixels.max(1) as f64;
        Place {
            slice,
            rect,
            spacing: [
                spacing[0],
                spacing[1] * per_pixel(rows, size[0]),
                spacing[2] * per_pixel(columns, size[1]),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resized_sample_has_pixels_of_another_size() {
        let rect = Rect {
            y0: 10,
            y1: 30,
            x0: 0,
            x1: 80,
        };
        let place = Place::new(3, rect, [40, 40], [5.0, 0.8, 0.8]);
        assert_eq!(place.spacing, [5.0, 0.4, 1.6]);
    }
}
