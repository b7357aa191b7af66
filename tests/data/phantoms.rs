//! Phantoms: the same for the same seed, anatomically plausible, and read back as they were written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fixtures::kits_masks;
use hqcc::data::kits19::{CaseFiles, read};
use hqcc::data::phantom::generate;
use hqcc::data::preprocess::case_records;
use hqcc::data::{Labels, Phantom, Preprocessing, Rect, Select, Task, Voxels, write_phantom};

fn small() -> Phantom {
    Phantom {
        slices: 12,
        pixels: 64,
        ..Phantom::default()
    }
}

#[test]
fn a_case_depends_on_seed_and_number_alone() {
    let grey = |s: &Phantom, case| match generate(s, case).0.voxels {
        Voxels::I16(v) => v,
        _ => unreachable!("phantoms are 16-bit"),
    };
    let s = small();
    assert_eq!(grey(&s, 3), grey(&s, 3));
    assert_ne!(grey(&s, 3), grey(&s, 4));
    let other = Phantom { seed: 2, ..s };
    assert_ne!(grey(&small(), 3), grey(&other, 3));
}

#[test]
fn kidneys_are_there_and_no_threshold_finds_them() {
    let mut with_tumor = 0;
    for case in 0..10 {
        let (volume, labels) = generate(&small(), case);
        let Voxels::I16(grey) = &volume.voxels else {
            unreachable!("phantoms are 16-bit");
        };
        let [sz, sy, sx] = volume.geometry.spacing;
        let count = labels.voxels.iter().filter(|l| **l > 0).count();
        let millilitres = count as f64 * sz * sy * sx / 1000.0;
        assert!(
            (120.0..700.0).contains(&millilitres),
            "case {case}: {millilitres} ml"
        );
        with_tumor += usize::from(labels.voxels.contains(&2));
        let best = (40..220)
            .step_by(10)
            .map(|lo| {
                let found = grey.iter().filter(|v| **v >= lo && **v < 260).count();
                let both = grey.iter().zip(&labels.voxels);
                let hit = both
                    .filter(|(v, l)| **v >= lo && **v < 260 && **l > 0)
                    .count();
                2.0 * hit as f64 / (found + count) as f64
            })
            .fold(0.0, f64::max);
        assert!(best < 0.7, "case {case}: a threshold reaches DSC {best}");
    }
    assert!(
        (4..10).contains(&with_tumor),
        "{with_tumor} of 10 have a tumour"
    );
}

#[test]
fn written_phantoms_are_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    write_phantom(folder.path(), 2, &small(), &|_| {}).unwrap();
    let case = folder.path().join("case_00001");
    let files = CaseFiles {
        case: 1,
        image: case.join("imaging.nii.gz"),
        labels: case.join("segmentation.nii.gz"),
    };
    let (volume, labels) = read(&files).unwrap();
    let (made, made_labels) = generate(&small(), 1);
    for z in 0..12 {
        assert_eq!(volume.slice(z), made.slice(z));
    }
    assert_eq!(labels.voxels, made_labels.voxels);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
    for (a, b) in volume.geometry.affine.iter().zip(made.geometry.affine) {
        assert!(a.iter().zip(b).all(|(a, b)| close(*a, b)));
    }
}

#[test]
fn slice_counts_are_those_of_kits19() {
    let Some(folder) = kits_masks() else {
        return;
    };
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let (expected, crops) = (json("expected.json"), json("crops.json"));
    for case in expected.as_array().unwrap() {
        let name = case["case_id"].as_str().unwrap();
        let labels = Labels::read(&folder.join(name).join("segmentation.nii.gz")).unwrap();
        // The labels stand in for the image: selection and crops do not look at it.
        let volume = hqcc::data::Volume {
            path: labels.path.clone(),
            geometry: labels.geometry.clone(),
            voxels: Voxels::U8(labels.voxels.clone()),
        };
        let spacing = &case["voxel_spacing"];
        let [z, y, x] = labels.geometry.spacing;
        let same = |a: f64, key: &str| (a - spacing[key].as_f64().unwrap()).abs() < 1e-6;
        assert!(
            same(z, "z_spacing") && same(y, "y_spacing") && same(x, "x_spacing"),
            "{name}"
        );
        let mut expected_affine = [[0.0; 4]; 4];
        expected_affine[0][2] = -x;
        expected_affine[1][1] = -y;
        expected_affine[2][0] = -z;
        expected_affine[3][3] = 1.0;
        let affine = labels.geometry.affine;
        let off = affine
            .iter()
            .flatten()
            .zip(expected_affine.iter().flatten());
        assert!(
            off.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-6,
            "{name}: {affine:?}"
        );
        for label in [1, 2] {
            let count = labels.voxels.iter().filter(|l| **l == label).count() as u64;
            assert_eq!(
                Some(count),
                case["voxels"][usize::from(label) - 1].as_u64(),
                "{name}"
            );
        }
        let settings = |task, select| Preprocessing {
            task,
            select,
            size: [2, 2],
            mean: 1,
            median: 1,
            ..Preprocessing::default()
        };
        let records =
            |task, select| case_records(&volume, &labels, &settings(task, select)).unwrap();
        for (select, key) in [
            (Select::Any, "slices_any"),
            (Select::Kidney, "slices_kidney"),
            (Select::Tumor, "slices_tumor"),
        ] {
            let n = records(Task::Kidney, select).len() as u64;
            assert_eq!(Some(n), case[key].as_u64(), "{name} {key}");
        }
        let found: Vec<Vec<u64>> = records(Task::Tumor, Select::Any)
            .iter()
            .map(|r| {
                let Rect { y0, y1, x0, x1 } = r.place.rect;
                let numbers = [r.place.slice, y0, y1, x0, x1];
                numbers.map(|v| v as u64).to_vec()
            })
            .collect();
        let expected: Vec<Vec<u64>> = serde_json::from_value(crops["cases"][name].clone()).unwrap();
        assert_eq!(found, expected, "{name}");
        assert_eq!(Some(found.len() as u64), case["tumor_crops"].as_u64());
    }
}

/// Every file below a folder, by path.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

#[test]
fn no_file_is_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let write = |cases, seed| {
        let settings = Phantom { seed, ..small() };
        write_phantom(root.path(), cases, &settings, &|_| {})
    };
    write(2, 1).unwrap();
    let before = contents(root.path());
    assert_eq!(before.len(), 4);
    // The same again, with what was lost and more cases.
    let lost = root.path().join("case_00001/segmentation.nii.gz");
    std::fs::remove_file(&lost).unwrap();
    write(3, 1).unwrap();
    let after = contents(root.path());
    assert_eq!(after.len(), 6);
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes))
    );
    // Other patients, in the same place.
    let message = write(4, 2).unwrap_err().to_string();
    assert!(
        message.contains("case_00000/imaging.nii.gz exists") && message.contains("overwrites no"),
        "{message}"
    );
    assert_eq!(contents(root.path()), after);
    // Real volumes, and files that are no volumes: the last of the cases is enough.
    for name in ["segmentation.nii.gz", "imaging.nii"] {
        let other = tempfile::tempdir().unwrap();
        let folder = other.path().join("case_00002");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(name), b"precious").unwrap();
        let message = write_phantom(other.path(), 3, &small(), &|_| {}).unwrap_err();
        assert!(message.to_string().contains(name), "{message}");
        assert_eq!(contents(other.path()).len(), 1, "nothing was written");
    }
}
