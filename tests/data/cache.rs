//! The cache gives the same samples, notices damage and change, and may be shared.

use crate::fixtures::{ct, gzip, small_case, write_case};
use hqcc::data::{Cases, DataSettings, Dataset, Sample, Task};
use std::path::{Path, PathBuf};

fn settings(cache: &str) -> DataSettings {
    DataSettings {
        root: Some(ct()),
        size: [32, 32],
        train: Cases::from(1..2),
        test: Cases::from(3..4),
        cache: cache.into(),
        ..DataSettings::default()
    }
}

fn open(settings: &DataSettings) -> Dataset {
    Dataset::open(settings, Path::new("runs/x"), &|_| {}).unwrap()
}

fn samples(data: &Dataset) -> Vec<Sample> {
    let read = |s: &hqcc::data::Split| (0..s.len()).map(|i| s.read(i).unwrap()).collect::<Vec<_>>();
    [read(&data.train), read(&data.test)].concat()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|p| p.extension().is_some_and(|e| e == "slices"))
        .collect();
    files.sort();
    files
}

#[test]
fn cached_samples_are_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let cached = settings(&folder.path().to_string_lossy());
    for task in [Task::Kidney, Task::Tumor] {
        let with = |s: DataSettings| DataSettings {
            task,
            train: Cases::from(3..4),
            ..s
        };
        let expected = samples(&open(&with(settings("off"))));
        assert!(!expected.is_empty());
        assert_eq!(samples(&open(&with(cached.clone()))), expected);
        assert_eq!(samples(&open(&with(cached.clone()))), expected);
    }
    assert_eq!(files(folder.path()).len(), 2, "one file for each task");
}

#[test]
fn damage_is_noticed_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let cached = settings(&folder.path().to_string_lossy());
    let expected = samples(&open(&cached));
    let all = files(folder.path());
    assert_eq!(all.len(), 2);
    let sound = std::fs::read(&all[0]).unwrap();
    let flip = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let damaged = [
        flip(3),
        flip(9),
        flip(30),
        flip(sound.len() / 2),
        flip(sound.len() - 1),
        sound[..sound.len() - 1].to_vec(),
        sound[..10].to_vec(),
        Vec::new(),
    ];
    for bytes in damaged {
        std::fs::write(&all[0], bytes).unwrap();
        assert_eq!(samples(&open(&cached)), expected);
        assert_eq!(std::fs::read(&all[0]).unwrap(), sound);
    }
    // Damage and loss while a dataset is open.
    let data = open(&cached);
    std::fs::write(&all[0], flip(sound.len() / 2)).unwrap();
    assert_eq!(samples(&data), expected);
    std::fs::remove_file(&all[0]).unwrap();
    assert_eq!(samples(&data), expected);
}

#[test]
fn other_content_and_other_settings_are_other_entries() {
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("data"), folder.path().join("cache"));
    let (mut image, labels) = small_case();
    let write = |image: &[u8]| {
        for case in [0, 1] {
            write_case(&root, case, &gzip(image), &gzip(&labels.bytes()));
        }
    };
    write(&image.bytes());
    let mut s = DataSettings {
        root: Some(root.clone()),
        train: Cases::from(0..1),
        test: Cases::from(1..2),
        ..settings(&cache.to_string_lossy())
    };
    let first = samples(&open(&s));
    assert_eq!(files(&cache).len(), 1, "equal cases share an entry");
    image.voxels[0] ^= 0x40;
    image.scaling = [1.0, 40.0];
    write(&image.bytes());
    assert_ne!(samples(&open(&s)), first);
    s.window = [-160.0, 240.0];
    open(&s);
    assert_eq!(files(&cache).len(), 3);
}

#[test]
fn concurrent_runs_share_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cached = settings(&folder.path().to_string_lossy());
    let expected = samples(&open(&settings("off")));
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| samples(&open(&cached))))
            .collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), expected);
        }
    });
    let left = std::fs::read_dir(folder.path()).unwrap();
    let hidden = left.filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp")
    });
    assert_eq!(hidden.count(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let s = settings(&blocked.join("cache").to_string_lossy());
    let error = Dataset::open(&s, Path::new("runs/x"), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("data.cache = off"), "{error}");
}

#[test]
fn the_default_lies_beside_the_run_folder() {
    if std::env::var("HQCC_CACHE").is_ok() {
        hqcc_tests::skip("HQCC_CACHE is set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/unet-1");
    Dataset::open(&settings("auto"), &run, &|_| {}).unwrap();
    assert_eq!(files(&folder.path().join("runs/.hqcc-cache")).len(), 2);
}
