//! Phantoms: CT-like volumes with kidneys, cysts and tumours in the geometry of KiTS19, the same for the same seed.

use super::anatomy::{Anatomy, HEIGHT};
use super::error::DataError;
use super::header::{Element, Geometry};
use super::kits19::case_name;
use super::volume::{Labels, Volume, Voxels};
use crate::random::Stream;
use hqcc_compiler::experiment::Phantom;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// The volume and the labels of a case.
const FILES: [&str; 2] = ["imaging", "segmentation"];

/// Generates one case.
///
/// - Shapes: `[slices, pixels, pixels]`, slices from the chest downwards, rows from front to back, columns from the
///   patient's right to the left.
/// - Units: Hounsfield units, rounded to integers.
pub fn generate(settings: &Phantom, case: u32) -> (Volume, Labels) {
    let name = case_name(case);
    let stream = |what: &str| Stream::new(settings.seed, &format!("phantom.{name}.{what}"));
    let anatomy = Anatomy::draw(stream("anatomy"), settings.tumors);
    let noise = stream("noise");
    let n = settings.pixels;
    let pixel = anatomy.field_of_view() / n as f64;
    let thickness = HEIGHT / settings.slices as f64;
    let mut affine = [[0.0; 4]; 4];
    (affine[0][2], affine[1][1], affine[2][0], affine[3][3]) = (-pixel, -pixel, -thickness, 1.0);
    let geometry = Geometry::new([settings.slices, n, n], [thickness, pixel, pixel], affine);
    let slices: Vec<(Vec<i16>, Vec<u8>)> = (0..settings.slices)
        .into_par_iter()
        .map(|s| {
            let z = (s as f64 + 0.5) * thickness - HEIGHT / 2.0;
            let middle = (n as f64 - 1.0) / 2.0;
            let mut grey = Vec::with_capacity(n * n);
            let mut labels = Vec::with_capacity(n * n);
            for y in 0..n {
                for x in 0..n {
                    let (hu, label) =
                        anatomy.at((x as f64 - middle) * pixel, (y as f64 - middle) * pixel, z);
                    let index = ((s * n + y) * n + x) as u64;
                    grey.push(hu + anatomy.noise * noise.normal(index));
                    labels.push(label);
                }
            }
            let round = |v: &f64| v.round().clamp(-1024.0, 3071.0) as i16;
            (blur(&grey, n).iter().map(round).collect(), labels)
        })
        .collect();
    let (mut voxels, mut labels) = (Vec::new(), Vec::new());
    for (v, l) in slices {
        voxels.extend(v);
        labels.extend(l);
    }
    let path = |file: &str| PathBuf::from("phantom").join(&name).join(file);
    (
        Volume {
            path: path("imaging"),
            geometry: geometry.clone(),
            voxels: Voxels::I16(voxels),
        },
        Labels {
            path: path("segmentation"),
            geometry,
            voxels: labels,
        },
    )
}

/// Writes cases 0 to `cases` - 1 as imaging.nii.gz and segmentation.nii.gz under `folder`/case_00000 and so on.
///
/// No file is ever overwritten: one that holds the very volume that would be written stays, and any other is an error before
/// anything is written.
///
/// # Errors
/// `Setting`, `Occupied`, `Io`.
pub fn write_phantom(
    folder: &Path,
    cases: u32,
    settings: &Phantom,
    done: &dyn Fn(u32),
) -> Result<(), DataError> {
    DataError::settings(settings.faults())?;
    let mut incomplete = Vec::new();
    for case in 0..cases {
        if !is_written(&folder.join(case_name(case)), case, settings)? {
            incomplete.push(case);
        }
    }
    let complete = cases - incomplete.len() as u32;
    done(complete);
    for (written, case) in (1..).zip(incomplete) {
        let (volume, labels) = generate(settings, case);
        let folder = folder.join(case_name(case));
        let [image, mask] = FILES.map(|name| folder.join(format!("{name}.nii.gz")));
        if let Voxels::I16(voxels) = &volume.voxels
            && !image.exists()
        {
            Volume::write_i16(&image, &volume.geometry, voxels)?;
        }
        if !mask.exists() {
            Labels::write(&mask, &labels.geometry, &labels.voxels)?;
        }
        done(complete + written);
    }
    Ok(())
}

/// Whether both files of a case are there.
///
/// # Errors
/// `Occupied`: a file with the name of one of them holds something else.
fn is_written(folder: &Path, case: u32, settings: &Phantom) -> Result<bool, DataError> {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    let occupied = |path: &Path| DataError::Occupied {
        path: path.to_owned(),
    };
    // A file without compression would be hidden by the one that is written.
    for name in FILES {
        let plain = folder.join(format!("{name}.nii"));
        if is_there(&plain) {
            return Err(occupied(&plain));
        }
    }
    let [image, mask] = FILES.map(|name| folder.join(format!("{name}.nii.gz")));
    if !is_there(&image) && !is_there(&mask) {
        return Ok(false);
    }
    let (volume, labels) = generate(settings, case);
    let same_header = |found: &Geometry, made: &Geometry, element: Element| {
        made.header_for(element).starts_with(&found.raw)
    };
    if is_there(&image) {
        let found = Volume::read(&image).map_err(|_| occupied(&image))?;
        let same = match (&found.voxels, &volume.voxels) {
            (Voxels::I16(found), Voxels::I16(made)) => found == made,
            _ => false,
        };
        if !same || !same_header(&found.geometry, &volume.geometry, Element::I16) {
            return Err(occupied(&image));
        }
    }
    if is_there(&mask) {
        let found = Labels::read(&mask).map_err(|_| occupied(&mask))?;
        let same = found.voxels == labels.voxels;
        if !same || !same_header(&found.geometry, &labels.geometry, Element::U8) {
            return Err(occupied(&mask));
        }
    }
    Ok(is_there(&image) && is_there(&mask))
}

/// The scanner's point spread: a 3 x 3 binomial, which also gives the noise its grain. Border pixels repeat.
fn blur(image: &[f64], n: usize) -> Vec<f64> {
    let at = |i: usize, by: isize| (i as isize + by).clamp(0, n as isize - 1) as usize;
    let mix = |a: f64, b: f64, c: f64| 0.25 * a + 0.5 * b + 0.25 * c;
    let across: Vec<f64> = (0..n * n)
        .map(|i| {
            let line = &image[i / n * n..][..n];
            let x = i % n;
            mix(line[at(x, -1)], line[x], line[at(x, 1)])
        })
        .collect();
    (0..n * n)
        .map(|i| {
            let (y, x) = (i / n, i % n);
            mix(
                across[at(y, -1) * n + x],
                across[i],
                across[at(y, 1) * n + x],
            )
        })
        .collect()
}
