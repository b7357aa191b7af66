//! Masks of volumes.

use std::path::Path;

use hqcc::data::{Labels, read_geometry};

use super::{experiments, hqcc};

#[test]
fn a_mask_has_the_shape_and_affine_of_its_volume() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    experiments::phantom(path);
    let ok = |args: &[&str]| {
        let ended = hqcc(path, args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
        ended.out
    };
    ok(&["run", "tiny.hqc", "--device", "cpu"]);
    // 10 slices are no multiple of the batch, and 40 pixels are not the network's 24.
    ok(&[
        "phantom", "volumes", "--cases", "2", "--slices", "11", "--pixels", "40",
    ]);
    let volume = "volumes/case_00000/imaging.nii.gz";
    let said = ok(&[
        "predict",
        "runs/tiny-1",
        volume,
        "-o",
        "mask.nii.gz",
        "--device",
        "cpu",
    ]);
    assert!(
        said.contains("mask.nii.gz") && said.contains("11 slices"),
        "{said}"
    );
    let [from, to] =
        [volume, "mask.nii.gz"].map(|name| read_geometry(&path.join(name)).expect("a volume"));
    assert_eq!((from.shape, from.spacing), (to.shape, to.spacing));
    assert_eq!(from.affine, to.affine);
    let labels = Labels::read(&path.join("mask.nii.gz")).expect("a mask");
    assert!(labels.voxels.iter().all(|label| *label < 2));

    let other = "volumes/case_00001/imaging.nii.gz";
    std::fs::copy(path.join(other), path.join("b.nii.gz")).expect("the folder can be written");
    std::fs::copy(path.join(volume), path.join("a.nii.gz")).expect("the folder can be written");
    ok(&[
        "predict",
        "runs/tiny-1",
        "a.nii.gz",
        "b.nii.gz",
        "-o",
        "masks",
        "--device",
        "cpu",
    ]);
    let again = Labels::read(&path.join("masks/a.nii.gz")).expect("a mask");
    assert_eq!(again.voxels, labels.voxels);
    assert!(Path::new(&path.join("masks/b.nii.gz")).is_file());
    let clash = hqcc(
        path,
        [
            "predict",
            "runs/tiny-1",
            volume,
            other,
            "-o",
            "masks",
            "--device",
            "cpu",
        ],
    );
    assert!(
        clash.code == Some(1) && clash.err.contains("same name"),
        "{}",
        clash.err
    );
    let wrong = hqcc(path, ["predict", "runs/tiny-1", volume, "-o", "mask.png"]);
    assert!(
        wrong.code == Some(1) && wrong.err.contains("mask.png"),
        "{}",
        wrong.err
    );
}
