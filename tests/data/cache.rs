//! The cache gives the same samples, notices damage and change, and may be shared.

use crate::fixtures::{ct, gzip, small_case, write_case};
use hqcc::data::{
    Cache, Cases, DataSettings, Dataset, Kits19, Preprocessing, Sample, Source, Task,
};
use hqcc_compiler::experiment::{Typed, Visitor};
use hqcc_compiler::setting::{Kind, Setting, SettingValue};
use std::io::Write;
use std::path::{Path, PathBuf};

fn settings(cache: Cache) -> DataSettings {
    DataSettings {
        source: Source::Kits19(Kits19 { root: Some(ct()) }),
        train: Cases::from(1..2),
        test: Cases::from(3..4),
        preprocessing: Preprocessing {
            size: [32, 32],
            ..Preprocessing::default()
        },
        cache,
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
    let cached = settings(Cache::Folder(folder.path().into()));
    for task in [Task::Kidney, Task::Tumor] {
        let with = |s: DataSettings| DataSettings {
            train: Cases::from(3..4),
            preprocessing: Preprocessing {
                task,
                ..s.preprocessing
            },
            ..s
        };
        let expected = samples(&open(&with(settings(Cache::Off))));
        assert!(!expected.is_empty());
        assert_eq!(samples(&open(&with(cached.clone()))), expected);
        assert_eq!(samples(&open(&with(cached.clone()))), expected);
    }
    assert_eq!(files(folder.path()).len(), 2, "one file for each task");
}

#[test]
fn damage_is_noticed_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let cached = settings(Cache::Folder(folder.path().into()));
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
        source: Source::Kits19(Kits19 {
            root: Some(root.clone()),
        }),
        train: Cases::from(0..1),
        test: Cases::from(1..2),
        ..settings(Cache::Folder(cache.clone()))
    };
    let first = samples(&open(&s));
    assert_eq!(files(&cache).len(), 1, "equal cases share an entry");
    image.voxels[0] ^= 0x40;
    image.scaling = [1.0, 40.0];
    write(&image.bytes());
    assert_ne!(samples(&open(&s)), first);
    s.preprocessing.window = [-160.0, 240.0];
    open(&s);
    assert_eq!(files(&cache).len(), 3);
}

#[test]
fn concurrent_runs_share_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cached = settings(Cache::Folder(folder.path().into()));
    let expected = samples(&open(&settings(Cache::Off)));
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
    let s = settings(Cache::Folder(blocked.join("cache")));
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
    Dataset::open(&settings(Cache::Auto), &run, &|_| {}).unwrap();
    assert_eq!(files(&folder.path().join("runs/.hqcc-cache")).len(), 2);
}

/// Overwrites a file in place with bytes of the same length, and sets its time of modification back.
fn change_unnoticed(path: &Path, content: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let meta = file.metadata().unwrap();
    assert_eq!(meta.len(), content.len() as u64);
    (&file).write_all(content).unwrap();
    file.set_modified(meta.modified().unwrap()).unwrap();
    assert_eq!(
        path.metadata().unwrap().modified().unwrap(),
        meta.modified().unwrap()
    );
}

#[test]
fn a_change_whose_time_was_set_back_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("data"), folder.path().join("cache"));
    let (mut image, labels) = small_case();
    for case in ["case_00000", "case_00001"] {
        let folder = root.join(case);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("imaging.nii"), image.bytes()).unwrap();
        std::fs::write(folder.join("segmentation.nii"), labels.bytes()).unwrap();
    }
    let s = DataSettings {
        source: Source::Kits19(Kits19 {
            root: Some(root.clone()),
        }),
        train: Cases::from(0..1),
        test: Cases::from(1..2),
        ..settings(Cache::Folder(cache))
    };
    // The hash of a file is remembered once its last change is old enough to be told from the next one.
    std::thread::sleep(std::time::Duration::from_millis(3500));
    let first = samples(&open(&s));
    let remembered = folder.path().join("cache/content").read_dir().unwrap();
    if cfg!(unix) {
        assert_eq!(remembered.count(), 4, "two files of two cases");
    }
    image.scaling = [1.0, 40.0];
    for case in ["case_00000", "case_00001"] {
        change_unnoticed(&root.join(case).join("imaging.nii"), &image.bytes());
    }
    let second = samples(&open(&s));
    assert_ne!(second, first);
    let plain = DataSettings {
        cache: Cache::Off,
        ..s
    };
    assert_eq!(second, samples(&open(&plain)));
}

/// Gives the setting of a number another value.
struct Change<'c> {
    at: usize,
    seen: usize,
    name: &'static str,
    /// Folders for settings that are paths.
    other: &'c Path,
}

impl Visitor for Change<'_> {
    fn visit<T: Typed>(&mut self, setting: &'static Setting, value: &mut T) {
        if self.seen == self.at {
            let other = self.other.join(setting.name);
            let new = match (setting.kind, value.value()) {
                (Kind::Int { max, .. }, SettingValue::Int(now)) => {
                    SettingValue::Int(if now < max { now + 1 } else { now - 1 })
                }
                (Kind::Odd { .. }, SettingValue::Int(now)) => {
                    SettingValue::Int(if now == 1 { 3 } else { now - 2 })
                }
                (Kind::Float(_), SettingValue::Float(now)) => SettingValue::Float(now / 2.0 + 0.25),
                (Kind::Bool, SettingValue::Bool(now)) => SettingValue::Bool(!now),
                (Kind::Word(words), SettingValue::Word(now)) => {
                    let new = words.iter().find(|word| **word != now).unwrap();
                    SettingValue::Word((*new).to_owned())
                }
                (Kind::Range | Kind::Size(_), SettingValue::Pair([a, b])) => {
                    SettingValue::Pair([a, b + 8.0])
                }
                (Kind::Cases, SettingValue::Cases(_)) => SettingValue::Cases(Cases::from(2..3)),
                (Kind::Path(_), _) => SettingValue::Text(other.to_string_lossy().into_owned()),
                (kind, now) => panic!("no other value of {}: {kind:?}, {now:?}", setting.name),
            };
            assert_ne!(new, value.value(), "{}", setting.name);
            assert_eq!(setting.kind.refusal(&new), None, "{}", setting.name);
            *value = T::of(new).unwrap();
            self.name = setting.name;
        }
        self.seen += 1;
    }
}

/// Names of all entries of a cache.
fn entries(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files(folder).iter().map(name).collect()
}

#[test]
fn exactly_the_settings_that_shape_a_sample_name_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (image, labels) = small_case();
    // All cases are equal, and so are both roots: whatever cases are asked for, they share one entry.
    for root in ["data", "root"] {
        for case in 0..4 {
            let root = path.join(root);
            write_case(&root, case, &gzip(&image.bytes()), &gzip(&labels.bytes()));
        }
    }
    let base = DataSettings {
        source: Source::Kits19(Kits19 {
            root: Some(path.join("data")),
        }),
        train: Cases::from(0..1),
        test: Cases::from(1..2),
        ..settings(Cache::Folder(path.join("base")))
    };
    let plain = |settings: &DataSettings| {
        let cache = Cache::Off;
        let data = open(&DataSettings {
            cache,
            ..settings.clone()
        });
        let split = &data.train;
        let read = |i| split.read(i).unwrap();
        let all = (0..split.len()).map(read);
        all.map(|sample| (sample.image, sample.mask))
            .collect::<Vec<_>>()
    };
    let samples = plain(&base);
    open(&base);
    let own = entries(&path.join("base"));
    assert_eq!(own.len(), 1);
    let mut shaping = Vec::new();
    let mut names = Vec::new();
    for at in 0.. {
        let mut changed = base.clone();
        let mut change = Change {
            at,
            seen: 0,
            name: "",
            other: path,
        };
        changed.visit(&mut change);
        if change.seen <= at {
            break;
        }
        let name = change.name;
        if name != "cache" {
            changed.cache = Cache::Folder(path.join(format!("cache-{at}")));
        }
        let Cache::Folder(cache) = &changed.cache else {
            panic!("{name} changed the cache to {:?}", changed.cache);
        };
        let opened = Dataset::open(&changed, Path::new("runs/x"), &|_| {});
        opened.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = entries(cache);
        assert_eq!(found.len(), 1, "{name}");
        if found == own {
            assert_eq!(
                plain(&changed),
                samples,
                "`{name}` changes samples, but not their entry"
            );
        } else {
            shaping.push(name);
        }
        names.push(name);
    }
    assert_eq!(
        shaping,
        [
            "task",
            "window",
            "size",
            "mode",
            "mean",
            "median",
            "select",
            "min_pixels",
            "crop",
            "pad",
            "kidney_mask"
        ]
    );
    assert!(
        names.contains(&"augment.noise") && names.contains(&"root"),
        "{names:?}"
    );
}
