//! Random changes to training samples, each a function of seed, epoch and sample alone.

use crate::random::Stream;
use hqcc_compiler::experiment::Augment;

/// Changes one sample in place.
///
/// The geometry turns, scales and mirrors about the middle; the image is interpolated with its border repeated, the mask
/// takes the nearest pixel and is 0 outside.
///
/// - Shapes: `image, mask: [rows * columns]`
pub fn augment(
    settings: &Augment,
    (seed, epoch, sample): (u64, u64, usize),
    shape: [usize; 2],
    image: &mut Vec<f32>,
    mask: &mut Vec<u8>,
) {
    let stream = |what: &str| Stream::new(seed, &format!("data.augment.{what}.{epoch}"));
    let draws = stream("sample");
    // Between -1 and 1.
    let draw = |i: u64| 2.0 * draws.uniform_f64(sample as u64 * 8 + i) - 1.0;
    let mirrored = settings.flip && draw(0) < 0.0;
    let angle = (settings.rotate * draw(1)).to_radians();
    let scale = 1.0 + settings.scale * draw(2);
    if mirrored || angle != 0.0 || scale != 1.0 {
        let [rows, columns] = shape;
        let (sin, cos) = angle.sin_cos();
        let (cy, cx) = ((rows as f64 - 1.0) / 2.0, (columns as f64 - 1.0) / 2.0);
        let mut changed = Vec::with_capacity(image.len());
        let mut changed_mask = Vec::with_capacity(mask.len());
        for y in 0..rows {
            for x in 0..columns {
                let dx = (x as f64 - cx) / scale * if mirrored { -1.0 } else { 1.0 };
                let dy = (y as f64 - cy) / scale;
                let (sy, sx) = (cy + sin * dx + cos * dy, cx + cos * dx - sin * dy);
                changed.push(bilinear_at(image, shape, sy, sx));
                changed_mask.push(nearest_at(mask, shape, sy, sx));
            }
        }
        *image = changed;
        *mask = changed_mask;
    }
    if settings.gamma > 0.0 {
        let exponent = (1.0 + settings.gamma).powf(draw(3)) as f32;
        for v in image.iter_mut() {
            *v = v.max(0.0).powf(exponent);
        }
    }
    if settings.noise > 0.0 {
        let noise = stream("noise");
        let first = (sample * image.len()) as u64;
        for (i, v) in image.iter_mut().enumerate() {
            *v += (settings.noise * noise.normal(first + i as u64)) as f32;
        }
    }
}

fn bilinear_at(image: &[f32], [rows, columns]: [usize; 2], y: f64, x: f64) -> f32 {
    let y = y.clamp(0.0, (rows - 1) as f64);
    let x = x.clamp(0.0, (columns - 1) as f64);
    let (y0, x0) = (y as usize, x as usize);
    let (y1, x1) = ((y0 + 1).min(rows - 1), (x0 + 1).min(columns - 1));
    let (fy, fx) = ((y - y0 as f64) as f32, (x - x0 as f64) as f32);
    let at = |y: usize, x: usize| image[y * columns + x];
    let top = at(y0, x0) * (1.0 - fx) + at(y0, x1) * fx;
    let bottom = at(y1, x0) * (1.0 - fx) + at(y1, x1) * fx;
    top * (1.0 - fy) + bottom * fy
}

fn nearest_at(mask: &[u8], [rows, columns]: [usize; 2], y: f64, x: f64) -> u8 {
    let (y, x) = (y.round(), x.round());
    let inside = y >= 0.0 && x >= 0.0 && y < rows as f64 && x < columns as f64;
    if inside {
        mask[y as usize * columns + x as usize]
    } else {
        0
    }
}
