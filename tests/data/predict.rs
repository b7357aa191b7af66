//! Prediction's way: a volume through the training preprocessing, and answers back into a label volume.

use crate::fixtures::ct;
use hqcc::data::kits19::{CaseFiles, read};
use hqcc::data::preprocess::case_records;
use hqcc::data::{Labels, MaskBuilder, Preprocessing, Select, Task, Volume, inputs};

fn case(name: &str) -> (Volume, Labels) {
    let folder = ct().join(name);
    read(&CaseFiles {
        case: 0,
        image: folder.join("imaging.nii.gz"),
        labels: folder.join("segmentation.nii.gz"),
    })
    .unwrap()
}

fn dsc(a: &[u8], b: &[u8], label: u8) -> f64 {
    let count = |v: &[u8]| v.iter().filter(|x| **x == label).count();
    let both = a
        .iter()
        .zip(b)
        .filter(|(x, y)| **x == label && **y == label)
        .count();
    2.0 * both as f64 / (count(a) + count(b)) as f64
}

#[test]
fn inputs_are_those_of_training() {
    let (volume, labels) = case("case_00001");
    let settings = Preprocessing {
        size: [64, 48],
        select: Select::All,
        ..Preprocessing::default()
    };
    let trained = case_records(&volume, &labels, &settings).unwrap();
    let found = inputs(&volume, None, 0..usize::MAX, &settings, Some(settings.size)).unwrap();
    assert_eq!(found.len(), volume.geometry.shape[0]);
    for (a, b) in found.iter().zip(&trained) {
        assert_eq!(
            (a.slice, a.rect, &a.image),
            (b.place.slice, b.place.rect, &b.image)
        );
    }
    assert_eq!(
        inputs(&volume, None, 4..6, &settings, Some(settings.size)).unwrap(),
        found[4..6]
    );
}

#[test]
fn perfect_answers_come_back_as_the_labels() {
    let (volume, labels) = case("case_00003");
    for (task, size, least) in [
        (Task::Kidney, [202, 244], 0.93),
        (Task::Kidney, [101, 122], 1.0),
        (Task::Tumor, [64, 64], 0.9),
    ] {
        let settings = Preprocessing {
            task,
            size,
            pad: 3,
            select: Select::All,
            ..Preprocessing::default()
        };
        let mut built = MaskBuilder::new(&volume, Some(&labels), &settings).unwrap();
        let wanted: Vec<u8> = match task {
            Task::Kidney => labels.voxels.iter().map(|l| (*l).min(1)).collect(),
            Task::Tumor => labels.voxels.clone(),
        };
        // The network's perfect answer is the mask at its input's place and size.
        for r in case_records(&volume, &labels, &settings).unwrap() {
            let answer: Vec<f32> = r.mask.iter().map(|m| f32::from(*m)).collect();
            built
                .add(r.place.slice, r.place.rect, &answer, size, 0.5)
                .unwrap();
        }
        let label = if task == Task::Kidney { 1 } else { 2 };
        let score = dsc(built.labels(), &wanted, label);
        assert!(score >= least, "{task:?} {size:?}: {score}");
    }
}

#[test]
fn the_tumour_task_looks_at_every_component() {
    let (volume, labels) = case("case_00003");
    let settings = Preprocessing {
        task: Task::Tumor,
        size: [16, 16],
        ..Preprocessing::default()
    };
    let known = case_records(&volume, &labels, &settings).unwrap().len();
    let found = inputs(
        &volume,
        Some(&labels),
        0..30,
        &settings,
        Some(settings.size),
    )
    .unwrap();
    assert!(
        found.len() > known,
        "{} inputs, {known} with a tumour",
        found.len()
    );
    let error = inputs(&volume, None, 0..30, &settings, Some(settings.size)).unwrap_err();
    assert!(error.to_string().contains("give their labels"), "{error}");
    let (other, _) = case("case_00002");
    let error = inputs(&other, Some(&labels), 0..30, &settings, Some(settings.size)).unwrap_err();
    assert!(error.to_string().contains("same shape"), "{error}");
}
