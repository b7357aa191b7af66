//! Every fault of the data is an error that names the file and says what is wrong; nothing panics.

use crate::fixtures::{Nifti, gzip, small_case, write_case};
use hqcc::data::{
    Cache, Cases, DataError, DataSettings, Dataset, Kits19, Preprocessing, Source, check,
};
use std::path::Path;

fn settings(root: &Path) -> DataSettings {
    DataSettings {
        source: Source::Kits19(Kits19 {
            root: Some(root.to_owned()),
        }),
        train: Cases::from(0..1),
        test: Cases::from(1..2),
        preprocessing: Preprocessing {
            size: [4, 4],
            ..Preprocessing::default()
        },
        cache: Cache::Off,
        ..DataSettings::default()
    }
}

/// Opens and checks the same data; both must fail with the same message, which is returned.
fn message(settings: &DataSettings) -> String {
    let opened = Dataset::open(settings, Path::new("runs/x"), &|_| {}).unwrap_err();
    let checked = check(settings, &|_, _| {}).unwrap_err();
    let (opened, checked) = (opened.to_string(), checked.to_string());
    assert!(
        checked.contains(&opened),
        "open: {opened}\ncheck: {checked}"
    );
    opened
}

/// The message for a case 0 of these files beside a sound case 1.
fn fault(image: &[u8], labels: &[u8]) -> String {
    let root = tempfile::tempdir().unwrap();
    let (good, good_labels) = small_case();
    write_case(
        root.path(),
        1,
        &gzip(&good.bytes()),
        &gzip(&good_labels.bytes()),
    );
    write_case(root.path(), 0, image, labels);
    let text = message(&settings(root.path()));
    assert!(text.contains("case_00000"), "the case is not named: {text}");
    text
}

fn with_image(change: impl FnOnce(&mut Nifti)) -> String {
    let (mut image, labels) = small_case();
    change(&mut image);
    fault(&gzip(&image.bytes()), &gzip(&labels.bytes()))
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn sound_data_open() {
    let root = tempfile::tempdir().unwrap();
    let (image, labels) = small_case();
    for case in [0, 1] {
        write_case(
            root.path(),
            case,
            &gzip(&image.bytes()),
            &gzip(&labels.bytes()),
        );
    }
    let data = Dataset::open(&settings(root.path()), Path::new("runs/x"), &|_| {}).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 2));
    let report = check(&settings(root.path()), &|_, _| {}).unwrap();
    assert_eq!(report.samples("train"), 2);
    assert_eq!(report.cases[0].voxels, [15, 3]);
    assert_eq!(report.cases[0].range, [-50.0, 225.0]);
}

#[test]
fn a_missing_root() {
    let text = message(&settings(Path::new("no/such/folder")));
    says(&text, &["no/such/folder", "does not exist", "data.root"]);
}

#[test]
fn no_root_at_all() {
    let text = message(&DataSettings {
        source: Source::Kits19(Kits19 { root: None }),
        ..settings(Path::new(""))
    });
    says(&text, &["`data.root`", "is not set"]);
}

#[test]
fn missing_cases() {
    let root = tempfile::tempdir().unwrap();
    let (image, labels) = small_case();
    write_case(
        root.path(),
        1,
        &gzip(&image.bytes()),
        &gzip(&labels.bytes()),
    );
    let text = message(&DataSettings {
        train: Cases::from(0..5),
        ..settings(root.path())
    });
    says(
        &text,
        &[
            "case_00000 is missing",
            "4 of the 5 cases of `train`",
            "from 1 to 1",
        ],
    );
}

#[test]
fn a_missing_file() {
    let root = tempfile::tempdir().unwrap();
    let (image, labels) = small_case();
    for case in [0, 1] {
        write_case(
            root.path(),
            case,
            &gzip(&image.bytes()),
            &gzip(&labels.bytes()),
        );
    }
    std::fs::remove_file(root.path().join("case_00001/segmentation.nii.gz")).unwrap();
    let text = message(&settings(root.path()));
    says(&text, &["case_00001", "segmentation.nii.gz is missing"]);
}

#[test]
fn truncated_gzip() {
    let (image, labels) = small_case();
    let (image, labels) = (gzip(&image.bytes()), gzip(&labels.bytes()));
    for keep in [5, 20, image.len() / 2, image.len() - 9, image.len() - 1] {
        says(
            &fault(&image[..keep], &labels),
            &["imaging.nii.gz", "truncated or damaged"],
        );
    }
    says(
        &fault(&image, &labels[..labels.len() / 2]),
        &["segmentation.nii.gz", "truncated"],
    );
}

#[test]
fn damaged_gzip() {
    let (image, labels) = small_case();
    let (mut image, labels) = (gzip(&image.bytes()), gzip(&labels.bytes()));
    // The checksum is in the last eight bytes.
    let at = image.len() - 6;
    image[at] ^= 1;
    says(&fault(&image, &labels), &["imaging.nii.gz", "damaged"]);
}

#[test]
fn truncated_without_compression() {
    let (image, labels) = small_case();
    let image = image.bytes();
    let text = fault(&image[..image.len() - 1], &gzip(&labels.bytes()));
    says(&text, &["imaging.nii.gz", "truncated", "928 bytes"]);
}

#[test]
fn an_empty_file() {
    let (_, labels) = small_case();
    says(
        &fault(&[], &gzip(&labels.bytes())),
        &["imaging.nii.gz is empty (0 bytes)"],
    );
}

#[test]
fn another_kind_of_file() {
    let (_, labels) = small_case();
    let text = fault(&[b'x'; 1000], &gzip(&labels.bytes()));
    says(&text, &["imaging.nii.gz", "not a usable NIfTI-1 volume"]);
}

#[test]
fn shapes_that_differ() {
    let (image, _) = small_case();
    let labels = Nifti::labels([3, 6, 8], vec![0; 144]);
    let text = fault(&gzip(&image.bytes()), &gzip(&labels.bytes()));
    says(
        &text,
        &[
            "imaging.nii.gz is [3, 8, 6]",
            "segmentation.nii.gz is [3, 6, 8]",
        ],
    );
}

#[test]
fn a_label_that_nobody_knows() {
    let (image, mut labels) = small_case();
    // File order is slice, row, column: slice 2, row 1, column 0.
    labels.voxels[5] = 7;
    let text = fault(&gzip(&image.bytes()), &gzip(&labels.bytes()));
    says(
        &text,
        &[
            "segmentation.nii.gz",
            "[slice 2, row 1, column 0] has label 7",
        ],
    );
}

#[test]
fn voxels_that_are_no_numbers() {
    let text = with_image(|image| {
        for at in [4, 100] {
            image.voxels[4 * at..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }
    });
    says(
        &text,
        &[
            "imaging.nii.gz",
            "[slice 1, row 1, column 0] is not a number",
            "1 more",
        ],
    );
}

#[test]
fn voxels_that_are_infinite() {
    for value in [f32::INFINITY, f32::NEG_INFINITY] {
        let text = with_image(|image| {
            image.voxels[4 * 4..][..4].copy_from_slice(&value.to_le_bytes());
        });
        says(
            &text,
            &[
                "imaging.nii.gz",
                "[slice 1, row 1, column 0] is infinite",
                "0 more",
            ],
        );
    }
    // Finite as stored, and beyond the range of f64 once they are scaled.
    let text = with_image(|image| {
        image.datatype = 64;
        image.width = 8;
        image.voxels = [1e300f64; 144].map(f64::to_le_bytes).concat();
        image.scaling = [1e30, 0.0];
    });
    says(
        &text,
        &["[slice 0, row 0, column 0] is infinite", "143 more"],
    );
}

#[test]
fn volumes_of_another_orientation() {
    // Rows of the sform by position: x, y, z.
    let placed = |axes: [(usize, f32); 3]| {
        with_image(|image| {
            image.sform = [0.0; 12];
            for (axis, (row, size)) in axes.into_iter().enumerate() {
                image.sform[4 * row + axis] = size;
            }
        })
    };
    // As nibabel, dcm2niix and nnU-Net write them: the slice axis is the last one.
    says(
        &placed([(0, 0.8), (1, 0.7), (2, 5.0)]),
        &["imaging.nii.gz", "R, A, S", "I, P, L is wanted"],
    );
    says(&placed([(0, -0.8), (1, -0.7), (2, 5.0)]), &["L, P, S"]);
    // Slices along the first axis, but rows from back to front.
    says(&placed([(2, -5.0), (1, 0.7), (0, -0.8)]), &["I, A, L"]);
    says(&placed([(2, -5.0), (2, -5.0), (0, -0.8)]), &["singular"]);
    let text = with_image(|image| image.codes = [0, 0]);
    says(&text, &["neither a sform nor a qform", "set_sform"]);
    // The sform goes before the qform, which alone would do.
    let text = with_image(|image| {
        image.codes = [1, 1];
        image.sform = [0.8, 0.0, 0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0];
        image.qform = [0.70710677, 0.0, -0.70710677, 0.0, 0.0, 0.0];
    });
    says(&text, &["R, A, S"]);
}

#[test]
fn slices_from_feet_to_head_and_a_qform_alone_will_do() {
    for change in [
        |image: &mut Nifti| image.sform[8] = 5.0,
        |image: &mut Nifti| {
            image.codes = [0, 1];
            image.qform = [0.70710677, 0.0, -0.70710677, 0.0, 0.0, 0.0];
        },
    ] {
        let root = tempfile::tempdir().unwrap();
        let (mut image, mut labels) = small_case();
        change(&mut image);
        change(&mut labels);
        for case in [0, 1] {
            let (image, labels) = (gzip(&image.bytes()), gzip(&labels.bytes()));
            write_case(root.path(), case, &image, &labels);
        }
        Dataset::open(&settings(root.path()), Path::new("runs/x"), &|_| {}).unwrap();
    }
}

#[test]
fn a_mask_in_another_place() {
    let with_labels = |change: &dyn Fn(&mut Nifti)| {
        let (image, mut labels) = small_case();
        change(&mut labels);
        fault(&gzip(&image.bytes()), &gzip(&labels.bytes()))
    };
    // 50 mm off.
    let text = with_labels(&|labels| labels.sform[3] = 50.0);
    says(
        &text,
        &["imaging.nii.gz", "segmentation.nii.gz", "50 mm apart"],
    );
    // Slices of 9 mm instead of 5.
    let text = with_labels(&|labels| labels.sform[8] = -9.0);
    says(&text, &["8 mm apart"]);
    // A flip.
    says(&with_labels(&|labels| labels.sform[2] = 0.8), &["apart"]);
}

#[test]
fn a_fault_of_a_case_in_both_splits_is_said_once() {
    let root = tempfile::tempdir().unwrap();
    let (_, labels) = small_case();
    write_case(root.path(), 0, &[], &gzip(&labels.bytes()));
    let settings = DataSettings {
        test: Cases::from(0..1),
        ..settings(root.path())
    };
    let text = check(&settings, &|_, _| {}).unwrap_err().to_string();
    assert_eq!(text.matches("imaging.nii.gz").count(), 1, "{text}");
    let missing = DataSettings {
        source: Source::Kits19(Kits19 {
            root: Some(root.path().join("nowhere")),
        }),
        ..settings
    };
    let text = check(&missing, &|_, _| {}).unwrap_err().to_string();
    assert_eq!(text.matches("does not exist").count(), 1, "{text}");
}

#[test]
fn absurd_headers() {
    let dim = |dim: [i16; 8]| with_image(|image| image.dim = dim);
    says(
        &dim([3, 32767, 32767, 32767, 1, 1, 1, 1]),
        &["truncated", "cannot hold"],
    );
    says(&dim([3, 3, -8, 6, 1, 1, 1, 1]), &["dim", "-8"]);
    says(&dim([3, 0, 8, 6, 1, 1, 1, 1]), &["dim", "0"]);
    says(&dim([2, 3, 48, 1, 1, 1, 1, 1]), &["2 axes"]);
    says(&dim([4, 3, 8, 3, 2, 1, 1, 1]), &["more than 3 axes"]);
    says(&dim([9, 3, 8, 6, 1, 1, 1, 1]), &["dim[0] is 9"]);
    says(&with_image(|i| i.datatype = 128), &["datatype 128"]);
    says(&with_image(|i| i.datatype = 32), &["datatype 32"]);
    says(&with_image(|i| i.pixdim[2] = f32::NAN), &["pixdim"]);
    says(&with_image(|i| i.sform[3] = f32::INFINITY), &["affine"]);
    says(&with_image(|i| i.scaling = [2.0, f32::NAN]), &["scl_inter"]);
    let text = with_image(|i| {
        i.codes = [0, 1];
        i.qform[0] = 3.0;
    });
    says(&text, &["quaternion"]);
}

#[test]
fn empty_splits() {
    let root = tempfile::tempdir().unwrap();
    let (image, labels) = small_case();
    for case in [0, 1] {
        write_case(
            root.path(),
            case,
            &gzip(&image.bytes()),
            &gzip(&labels.bytes()),
        );
    }
    let text = message(&DataSettings {
        test: Cases::from(1..1),
        ..settings(root.path())
    });
    says(&text, &["`test` must name at least one case"]);
    let few = settings(root.path());
    let text = message(&DataSettings {
        preprocessing: Preprocessing {
            min_pixels: 1000,
            ..few.preprocessing
        },
        ..few
    });
    says(&text, &["the train split is empty", "`min_pixels = 1000`"]);
}

#[test]
fn settings_that_mean_nothing() {
    let base = settings(Path::new("x"));
    let text = message(&DataSettings {
        preprocessing: Preprocessing {
            window: [300.0, -30.0],
            mean: 4,
            size: [0, 4],
            ..Preprocessing::default()
        },
        ..base
    });
    says(
        &text,
        &["3 faults", "`window`", "`mean` must", "is 4", "`size`"],
    );
}

#[test]
fn all_faulty_cases_are_named_at_once() {
    let root = tempfile::tempdir().unwrap();
    let (image, labels) = small_case();
    write_case(root.path(), 0, &[], &gzip(&labels.bytes()));
    write_case(root.path(), 1, &gzip(&image.bytes()), &[]);
    let error = Dataset::open(&settings(root.path()), Path::new("runs/x"), &|_| {}).unwrap_err();
    assert!(
        matches!(&error, DataError::Many(all) if all.len() == 2),
        "{error}"
    );
    says(
        &error.to_string(),
        &["2 faults", "case_00000", "case_00001"],
    );
}
