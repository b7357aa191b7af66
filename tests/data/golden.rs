//! Every vector of golden/preprocess: filters and resizing alone, the stages of a slice, whole pipelines.

use crate::fixtures::{ct, tests};
use hqcc::data::filters::{mean_f32, mean_u8, median_f32, median_u8};
use hqcc::data::kits19::{CaseFiles, read};
use hqcc::data::preprocess::{case_records, filter, window_f32, window_u8};
use hqcc::data::resize::{bilinear, nearest};
use hqcc::data::{Crop, KidneyMask, Mode, Preprocessing, Record, Rect, Select, Task};
use serde_json::Value;

fn index() -> Value {
    let text = std::fs::read_to_string(tests("golden/preprocess/index.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes(array: &Value) -> Vec<u8> {
    let name = array["file"].as_str().unwrap();
    std::fs::read(tests("golden/preprocess").join(name)).unwrap()
}

fn floats(array: &Value) -> Vec<f32> {
    let word = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes(array).chunks_exact(4).map(word).collect()
}

fn numbers<T>(list: &Value, as_number: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().unwrap().iter().map(as_number).collect()
}

fn u8s(list: &Value) -> Vec<u8> {
    numbers(list, |v| v.as_u64().unwrap() as u8)
}

fn f32s(list: &Value) -> Vec<f32> {
    numbers(list, |v| v.as_f64().unwrap() as f32)
}

fn pair(list: &Value) -> [usize; 2] {
    let v = numbers(list, |v| v.as_u64().unwrap() as usize);
    [v[0], v[1]]
}

/// Largest absolute difference; the lengths must agree.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

fn settings(case: &Value) -> Preprocessing {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let count = |key: &str, otherwise: u64| case[key].as_u64().unwrap_or(otherwise) as usize;
    Preprocessing {
        task: match text("task") {
            "tumor" => Task::Tumor,
            _ => Task::Kidney,
        },
        window: [case["lo"].as_f64().unwrap(), case["hi"].as_f64().unwrap()],
        size: [count("size", 256); 2],
        mode: match text("mode") {
            "f32" => Mode::F32,
            _ => Mode::U8,
        },
        mean: count("mean", 3),
        median: count("median", 7),
        select: match text("select") {
            "tumor" => Select::Tumor,
            "kidney" => Select::Kidney,
            "all" => Select::All,
            _ => Select::Any,
        },
        min_pixels: count("min_pixels", 1),
        crop: match text("crop") {
            "union" => Crop::Union,
            _ => Crop::Component,
        },
        pad: count("pad", 0),
        kidney_mask: match text("kidney_mask") {
            "strict" => KidneyMask::Strict,
            _ => KidneyMask::Union,
        },
    }
}

fn files(case: &Value) -> CaseFiles {
    let name = case["case"].as_str().unwrap().trim_start_matches("real/");
    CaseFiles {
        case: 0,
        image: ct().join(name).join("imaging.nii.gz"),
        labels: ct().join(name).join("segmentation.nii.gz"),
    }
}

#[test]
fn filters_agree_with_opencv() {
    for f in index()["filters"].as_array().unwrap() {
        let (shape, image) = (pair(&f["size"]), u8s(&f["image"]));
        let float: Vec<f32> = image.iter().map(|v| f32::from(*v)).collect();
        for (key, side) in [("median7_replicate", 7), ("median3_replicate", 3)] {
            let expected = u8s(&f[key]);
            assert_eq!(median_u8(&image, shape, side), expected, "{key} {shape:?}");
            let expected: Vec<f32> = expected.iter().map(|v| f32::from(*v)).collect();
            assert_eq!(median_f32(&float, shape, side), expected, "{key} {shape:?}");
        }
        // The reference has no mean of a single pixel.
        if let Some(mean) = f.get("mean3_reflect101") {
            assert_eq!(mean_u8(&image, shape, 3), u8s(mean), "mean {shape:?}");
        }
    }
}

#[test]
fn resizing_agrees() {
    for r in index()["resize"].as_array().unwrap() {
        let (from, to) = (pair(&r["in"]), pair(&r["out"]));
        let image = bilinear(&f32s(&r["image"]), from, to);
        let off = distance(&image, &f32s(&r["bilinear"]));
        assert!(off <= 1e-6, "{from:?} -> {to:?}: {off}");
        let mask = nearest(&u8s(&r["mask"]), from, to);
        assert_eq!(mask, u8s(&r["nearest"]), "{from:?} -> {to:?}");
    }
}

#[test]
fn stages_agree() {
    let index = index();
    let stages = index["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["kind"] == "stages");
    let mut seen = 0;
    for case in stages {
        let (volume, _) = read(&files(case)).unwrap();
        let s = settings(case);
        let shape = pair(&case["hu"]["shape"]);
        let hu = volume.slice(case["slice"].as_u64().unwrap() as usize);
        let as_f32: Vec<f32> = hu.iter().map(|v| *v as f32).collect();
        assert_eq!(as_f32, floats(&case["hu"]));
        match s.mode {
            Mode::U8 => {
                let w = window_u8(&hu, s.window);
                assert_eq!(w, bytes(&case["windowed"]));
                let m = mean_u8(&w, shape, s.mean);
                assert_eq!(m, bytes(&case["mean_out"]));
                assert_eq!(median_u8(&m, shape, s.median), bytes(&case["median_out"]));
            }
            Mode::F32 => {
                let w = window_f32(&hu, s.window);
                assert!(distance(&w, &floats(&case["windowed"])) <= 1e-6);
                let m = mean_f32(&w, shape, s.mean);
                assert!(distance(&m, &floats(&case["mean_out"])) <= 1e-6);
                let d = filter(&hu, shape, &s);
                assert!(distance(&d, &floats(&case["median_out"])) <= 1e-6);
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn pipelines_agree() {
    let index = index();
    let pipelines = index["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["kind"] == "pipeline");
    let mut seen = 0;
    for case in pipelines {
        let name = case["name"].as_str().unwrap();
        let (volume, labels) = read(&files(case)).unwrap();
        let mut records = case_records(&volume, &labels, &settings(case)).unwrap();
        if let Some(slices) = case["slices"].as_array() {
            let wanted: Vec<u64> = slices.iter().map(|v| v.as_u64().unwrap()).collect();
            records.retain(|r| wanted.contains(&(r.place.slice as u64)));
        }
        let slices: Vec<u64> = records.iter().map(|r| r.place.slice as u64).collect();
        assert_eq!(
            slices,
            numbers(&case["slice"], |v| v.as_u64().unwrap()),
            "{name}"
        );
        let rects: Vec<Rect> = records.iter().map(|r| r.place.rect).collect();
        let expected = numbers(&case["box_y0y1x0x1"], |b| {
            let v = numbers(b, |v| v.as_u64().unwrap() as usize);
            Rect {
                y0: v[0],
                y1: v[1],
                x0: v[2],
                x1: v[3],
            }
        });
        assert_eq!(rects, expected, "{name}");
        let all =
            |f: fn(&Record) -> &[f32]| records.iter().flat_map(f).copied().collect::<Vec<_>>();
        let off = distance(&all(|r| &r.image), &floats(&case["images"]));
        assert!(off <= 1e-6, "{name}: {off}");
        let masks: Vec<u8> = records.iter().flat_map(|r| r.mask.clone()).collect();
        assert!(masks == bytes(&case["masks"]), "{name}: masks differ");
        seen += 1;
    }
    assert_eq!(seen, 6);
}
