//! Pictures of samples: image, true mask and predicted mask side by side, as PNG.

use std::path::Path;

use crate::durable::replace_file;

/// One sample of a test split, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// The first input channel, any range, row-major.
    pub image: Vec<f32>,
    /// Class number of each pixel, as annotated.
    pub truth: Vec<u8>,
    /// Class number of each pixel, as predicted.
    pub prediction: Vec<u8>,
}

/// Colours of the classes from 1 on; further ones start over.
const CLASS_COLORS: [[f32; 3]; 6] = [
    [230.0, 60.0, 60.0],
    [60.0, 180.0, 75.0],
    [255.0, 200.0, 20.0],
    [70.0, 110.0, 230.0],
    [200.0, 80.0, 220.0],
    [60.0, 200.0, 210.0],
];
/// Share of the class colour where a mask covers the image.
const OPACITY: f32 = 0.5;
/// Width of the line between panels, in pixels.
const GAP: usize = 2;

/// Writes one row per sample: the image, the image under its true mask, the image under its predicted mask.
///
/// # Errors
/// A sentence with the path, if it cannot be written; samples of different sizes or lengths.
pub fn write(path: &Path, samples: &[Sample]) -> Result<(), String> {
    let fail = |why: String| format!("cannot write {}: {why}", path.display());
    let Some(first) = samples.first() else {
        return Ok(());
    };
    let (h, w) = (first.height, first.width);
    let fits = |s: &Sample| {
        (s.height, s.width) == (h, w)
            && [s.image.len(), s.truth.len(), s.prediction.len()] == [h * w; 3]
    };
    if !samples.iter().all(fits) {
        return Err(fail("the samples differ in size".into()));
    }
    let (width, height) = (3 * w + 2 * GAP, samples.len() * (h + GAP) - GAP);
    let mut rgb = vec![255u8; width * height * 3];
    for (row, sample) in samples.iter().enumerate() {
        let nothing = vec![0; h * w];
        for (column, mask) in [&nothing, &sample.truth, &sample.prediction]
            .into_iter()
            .enumerate()
        {
            let (top, left) = (row * (h + GAP), column * (w + GAP));
            for (i, color) in panel(&sample.image, mask).enumerate() {
                let at = ((top + i / w) * width + left + i % w) * 3;
                rgb[at..at + 3].copy_from_slice(&color);
            }
        }
    }
    let bytes = encode(width, height, &rgb).map_err(|e| fail(e.to_string()))?;
    replace_file(path, &bytes).map_err(|e| fail(e.to_string()))
}

/// The image from black (its least value) to white (its largest), with the mask's colours over it.
fn panel<'a>(image: &'a [f32], mask: &'a [u8]) -> impl Iterator<Item = [u8; 3]> + 'a {
    let finite = || image.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (
        finite().fold(f32::INFINITY, f32::min),
        finite().fold(f32::NEG_INFINITY, f32::max),
    );
    let scale = if high > low {
        255.0 / (high - low)
    } else {
        0.0
    };
    image.iter().zip(mask).map(move |(&value, &class)| {
        let grey = (value - low) * scale;
        match class {
            0 => [grey as u8; 3],
            c => CLASS_COLORS[(c as usize - 1) % CLASS_COLORS.len()]
                .map(|channel| (OPACITY * channel + (1.0 - OPACITY) * grey) as u8),
        }
    })
}

fn encode(width: usize, height: usize, rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(rgb)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let sample = Sample {
            height: 1,
            width: 2,
            image: vec![0.0, 1.0],
            truth: vec![0, 1],
            prediction: vec![0, 0],
        };
        write(&path, &[sample.clone(), sample.clone()]).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (10, 4));
        let mut pixels = vec![0; 10 * 4 * 3];
        reader.next_frame(&mut pixels).unwrap();
        let at = |x: usize| [pixels[3 * x], pixels[3 * x + 1], pixels[3 * x + 2]];
        assert_eq!([at(0), at(1), at(2)], [[0; 3], [255; 3], [255; 3]]);
        assert_eq!(at(5), [242, 157, 157]);
        assert_eq!(at(9), [255; 3]);
        let short = Sample {
            truth: vec![],
            ..sample
        };
        assert!(write(&path, &[short]).is_err());
    }
}
