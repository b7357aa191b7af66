//! Reading and writing NIfTI: element types, byte orders, scaling, and masks that lie where the image lies.

use crate::fixtures::{Nifti, ct, gzip, small_case};
use hqcc::data::{Geometry, Labels, Volume, read_geometry};
use std::path::Path;

fn geometry(folder: &Path, file: &Nifti) -> Geometry {
    let path = folder.join("a.nii");
    std::fs::write(&path, file.bytes()).unwrap();
    read_geometry(&path).unwrap()
}

fn volume(folder: &Path, file: &Nifti) -> Volume {
    let path = folder.join("a.nii");
    std::fs::write(&path, file.bytes()).unwrap();
    Volume::read(&path).unwrap()
}

/// Value of voxel (slice, row, column) in the files below.
fn value(z: i16, y: i16, x: i16) -> i16 {
    z * 25 + y * 5 + x
}

fn encoded<const N: usize>(encode: impl Fn(i16) -> [u8; N]) -> Vec<u8> {
    let mut out = Vec::new();
    for x in 0..5 {
        for y in 0..5 {
            for z in 0..4 {
                out.extend(encode(value(z, y, x)));
            }
        }
    }
    out
}

#[test]
fn every_element_type_in_both_byte_orders() {
    let files = [
        (2, 1, encoded(|v| [v as u8])),
        (4, 2, encoded(i16::to_le_bytes)),
        (8, 4, encoded(|v| i32::from(v).to_le_bytes())),
        (16, 4, encoded(|v| f32::from(v).to_le_bytes())),
        (64, 8, encoded(|v| f64::from(v).to_le_bytes())),
        (256, 1, encoded(|v| (v as i8).to_le_bytes())),
        (512, 2, encoded(|v| (v as u16).to_le_bytes())),
        (768, 4, encoded(|v| (v as u32).to_le_bytes())),
        (1024, 8, encoded(|v| i64::from(v).to_le_bytes())),
        (1280, 8, encoded(|v| (v as u64).to_le_bytes())),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (code, width, voxels) in files {
        for big_endian in [false, true] {
            let mut file = Nifti::new([4, 5, 5], code, width, voxels.clone());
            file.big_endian = big_endian;
            file.scaling = [0.5, -10.0];
            let v = volume(folder.path(), &file);
            assert_eq!(v.geometry.shape, [4, 5, 5]);
            for z in 0..4 {
                let slice = v.slice(z as usize);
                for (i, found) in slice.iter().enumerate() {
                    let (y, x) = (i as i16 / 5, i as i16 % 5);
                    let expected = f64::from(value(z, y, x)) * 0.5 - 10.0;
                    assert_eq!(*found, expected, "datatype {code}, big endian {big_endian}");
                }
            }
        }
    }
}

#[test]
fn a_slope_of_zero_means_no_scaling() {
    let folder = tempfile::tempdir().unwrap();
    for slope in [0.0, f32::NAN] {
        let mut file = Nifti::new([4, 5, 5], 4, 2, encoded(i16::to_le_bytes));
        file.scaling = [slope, 7.0];
        assert_eq!(
            volume(folder.path(), &file).slice(1)[0],
            f64::from(value(1, 0, 0))
        );
    }
}

#[test]
fn the_sform_goes_before_the_qform_before_the_spacing() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = small_case().0;
    file.qform = [0.0, 0.0, 0.0, 11.0, 12.0, 13.0];
    file.codes = [2, 1];
    let sform = geometry(folder.path(), &file).affine;
    assert_eq!(sform[0], [0.0, 0.0, f64::from(-0.8f32), 0.0]);
    file.codes = [0, 1];
    file.pixdim[0] = -1.0;
    let qform = geometry(folder.path(), &file).affine;
    let (y, x) = (f64::from(0.7f32), f64::from(0.8f32));
    let expected = [
        [5.0, 0.0, 0.0, 11.0],
        [0.0, y, 0.0, 12.0],
        [0.0, 0.0, -x, 13.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(qform, expected);
    file.codes = [0, 0];
    let base = geometry(folder.path(), &file).affine;
    assert_eq!(base[0], [-5.0, 0.0, 0.0, 5.0]);
    assert_eq!(base[1], [0.0, y, 0.0, -3.5 * y]);
}

#[test]
fn a_mask_keeps_shape_affine_codes_and_spacing() {
    let folder = tempfile::tempdir().unwrap();
    let mut swapped = small_case().0;
    swapped.big_endian = true;
    swapped.codes = [0, 3];
    swapped.qform = [0.5, 0.5, 0.5, 1.0, 2.0, 3.0];
    let foreign = folder.path().join("foreign.nii");
    std::fs::write(&foreign, swapped.bytes()).unwrap();
    let real = |case: &str| ct().join(case).join("imaging.nii.gz");
    for source in [foreign, real("case_00000"), real("case_00002")] {
        let geometry = read_geometry(&source).unwrap();
        let labels: Vec<u8> = (0..geometry.voxels()).map(|i| (i % 7 % 3) as u8).collect();
        for name in ["mask.nii", "mask.nii.gz"] {
            let path = folder.path().join(name);
            Labels::write(&path, &geometry, &labels).unwrap();
            let back = Labels::read(&path).unwrap();
            assert_eq!(back.voxels, labels, "{}", source.display());
            assert_eq!(back.geometry.affine, geometry.affine);
            assert_eq!(back.geometry.spacing, geometry.spacing);
            // Everything but type, scaling and display range is the image's header.
            let (a, b) = (&back.geometry.raw, &geometry.raw);
            for range in [0..70, 74..108, 120..124, 132..348] {
                assert_eq!(a[range.clone()], b[range]);
            }
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        3,
        "no temporary file stays"
    );
}

#[test]
fn plain_and_packed_files_are_told_apart_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let file = small_case().0;
    let path = folder.path().join("packed.nii");
    std::fs::write(&path, gzip(&file.bytes())).unwrap();
    let packed = Volume::read(&path).unwrap();
    assert_eq!(packed.slice(2), volume(folder.path(), &file).slice(2));
}
