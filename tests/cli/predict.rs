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
    // Volumes of one name keep as much of their paths as tells them apart.
    ok(&[
        "predict",
        "runs/tiny-1",
        volume,
        other,
        "-o",
        "apart",
        "--device",
        "cpu",
    ]);
    let again = Labels::read(&path.join("apart/case_00000/imaging.nii.gz")).expect("a mask");
    assert_eq!(again.voxels, labels.voxels);
    assert!(path.join("apart/case_00001/imaging.nii.gz").is_file());
    let twice = ["predict", "runs/tiny-1", volume, volume, "-o", "masks"];
    for (args, part) in [
        (&twice[..], "given twice"),
        (
            &["predict", "runs/tiny-1", volume, "-o", "mask.png"],
            "mask.png",
        ),
        (
            &["predict", "runs/tiny-1", "volumes", "-o", "m.nii.gz"],
            "m.nii.gz",
        ),
        (
            &["predict", "runs/tiny-1", "runs", "-o", "masks"],
            "holds no volume",
        ),
        (
            &["predict", "runs/tiny-1", volume, "-o", volume],
            "take the place",
        ),
        (
            &["predict", "runs/tiny-1", "none.nii", "-o", "m.nii"],
            "none.nii does not exist",
        ),
        (
            &[
                "predict",
                "runs/tiny-1",
                volume,
                "-o",
                "m.nii",
                "--kidneys",
                "masks",
            ],
            "for the tumour task",
        ),
    ] {
        let wrong = hqcc(path, args);
        assert_eq!(wrong.code, Some(1), "{args:?}");
        assert!(wrong.err.contains(part), "{args:?}: {}", wrong.err);
    }
}

/// A folder of volumes, one of them damaged, some of them deeper.
#[test]
fn a_folder_is_segmented_and_one_bad_volume_stops_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    experiments::phantom(path);
    let run = hqcc(path, ["run", "tiny.hqc", "--device", "cpu"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let made = [
        "phantom", "volumes", "--cases", "2", "--slices", "3", "--pixels", "40",
    ];
    assert_eq!(hqcc(path, made).code, Some(0));
    let volumes = path.join("volumes");
    std::fs::create_dir_all(volumes.join("more/deep")).expect("the folder can be written");
    let imaging = volumes.join("case_00000/imaging.nii.gz");
    std::fs::copy(&imaging, volumes.join("more/deep/a.nii.gz")).expect("a copy");
    std::fs::write(volumes.join("more/broken.nii.gz"), b"no volume").expect("a file");
    let args = [
        "predict",
        "runs/tiny-1",
        "volumes",
        "-o",
        "volumes/masks",
        "--device",
        "cpu",
    ];
    // The second time the masks of the first lie below the folder, and are no volumes.
    for _ in 0..2 {
        let ended = hqcc(path, args);
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        assert!(
            ended.err.contains("no mask for 1 of 4 volumes"),
            "{}",
            ended.err
        );
        assert!(ended.err.contains("broken.nii.gz"), "{}", ended.err);
        assert!(
            ended.out.contains("4 volumes: 3 masks written, 1 failed"),
            "{}",
            ended.out
        );
        for mask in ["case_00000/imaging", "case_00001/imaging", "more/deep/a"] {
            let file = volumes.join(format!("masks/{mask}.nii.gz"));
            assert!(Labels::read(&file).is_ok(), "{}", file.display());
        }
    }
}

/// Sizes that the network cannot take are padded, and refused where the size is part of the network.
#[test]
fn sizes_are_padded_or_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let made = [
        "phantom", "volumes", "--cases", "1", "--slices", "2", "--pixels", "37",
    ];
    assert_eq!(hqcc(path, made).code, Some(0));
    let volume = "volumes/case_00000/imaging.nii.gz";
    for (name, input, words) in [
        ("Free", "[1, H, W] where H % 8 == 0, W % 16 == 0", "40 x 48"),
        ("Fixed", "[1, 32, 32]", "cannot take 37 x 37"),
    ] {
        experiments::with_input(path, name, input);
        let file = format!("{}.hqc", name.to_lowercase());
        let run = hqcc(path, ["run", &file, "--device", "cpu"]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        let run = format!("runs/{}-1", name.to_lowercase());
        let predict = |size: &str| {
            let size = format!("predict.size={size}");
            let args = [
                "predict", &run, volume, "-o", "m.nii.gz", "--device", "cpu", "-s", &size,
            ];
            hqcc(path, args)
        };
        let large = predict("[37, 37]");
        let fits = name == "Free";
        assert_eq!(large.code, Some(if fits { 0 } else { 1 }), "{}", large.err);
        let said = if fits { &large.out } else { &large.err };
        assert!(said.contains(words), "{said}");
        assert!(fits || said.contains("built for 32 x 32"), "{said}");
        // Slices of 37 x 37 as they are.
        let native = predict("native");
        assert_eq!(
            native.code,
            Some(if fits { 0 } else { 1 }),
            "{}",
            native.err
        );
        let small = predict("[20, 32]");
        assert_eq!(small.code, Some(0), "{}", small.err);
        let padded = if fits { "24 x 32" } else { "32 x 32" };
        assert!(small.out.contains(padded), "{}", small.out);
        let labels = Labels::read(&path.join("m.nii.gz")).expect("a mask");
        assert_eq!(labels.geometry.shape, [2, 37, 37]);
    }
    let word = [
        "predict",
        "runs/free-1",
        volume,
        "-o",
        "m.nii.gz",
        "-s",
        "predict.size=tiny",
    ];
    let wrong = hqcc(path, word);
    assert!(
        wrong.code == Some(1) && wrong.err.contains("native"),
        "{}",
        wrong.err
    );
}

/// The same volume with its slice axis last, as most tools write it.
#[test]
fn a_volume_of_another_orientation_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    experiments::phantom(path);
    let run = hqcc(
        path,
        ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"],
    );
    assert_eq!(run.code, Some(0), "{}", run.err);
    let at = |row: usize, column: usize, value: f64| {
        let mut affine = [[0.0; 4]; 4];
        (affine[0][0], affine[1][1], affine[2][2], affine[3][3]) = (2.0, 2.0, 5.0, 1.0);
        affine[row][column] = value;
        affine
    };
    for (affine, said) in [(at(3, 3, 1.0), "R, A, S"), (at(2, 2, 0.0), "singular")] {
        let geometry = hqcc::data::Geometry::new([8, 8, 4], [2.0, 2.0, 5.0], affine);
        let volume = path.join("ras.nii.gz");
        hqcc::data::Volume::write_i16(&volume, &geometry, &[0; 256]).expect("a volume");
        let args = [
            "predict",
            "runs/tiny-1",
            "ras.nii.gz",
            "-o",
            "m.nii.gz",
            "--device",
            "cpu",
        ];
        let ended = hqcc(path, args);
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        assert!(
            ended.err.contains("ras.nii.gz") && ended.err.contains(said),
            "{}",
            ended.err
        );
        assert!(!path.join("m.nii.gz").exists());
    }
}
