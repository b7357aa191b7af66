//! The settings of a `data` section.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::table::{Typed, Visitor, default_text, settings};
use super::words::words;
use crate::cases::Cases;
use crate::setting::{Kind, Limits, Setting, SettingValue};
use crate::syntax::ast::Ident;

words! {
    /// What is to be segmented.
    pub enum Task {
        /// Kidneys on whole slices.
        Kidney = "kidney",
        /// Tumours on crops around the kidneys.
        Tumor = "tumor",
    }
}

words! {
    /// How grey values are held between the window and the resize.
    pub enum Mode {
        /// 8 bit, as OpenCV's median needs it.
        U8 = "u8",
        /// 32-bit floating point.
        F32 = "f32",
    }
}

words! {
    /// Which slices become samples.
    pub enum Select {
        /// Every slice.
        All = "all",
        /// Slices with a label.
        Any = "any",
        /// Slices with label 1.
        Kidney = "kidney",
        /// Slices with label 2.
        Tumor = "tumor",
    }
}

words! {
    /// What the tumour task cuts out.
    pub enum Crop {
        /// One rectangle for each 8-connected component of the labels.
        Component = "component",
        /// One rectangle around all labels of the slice.
        Union = "union",
    }
}

words! {
    /// Which labels are kidney in the kidney task.
    pub enum KidneyMask {
        /// Labels 1 and 2.
        Union = "union",
        /// Label 1 alone.
        Strict = "strict",
    }
}

settings! {
    /// Volumes on disk: folders case_00000, case_00001, ... with imaging.nii.gz and segmentation.nii.gz.
    pub struct Kits19("") {
        /// The folder that holds the cases, or a folder `data` with them. Without one, networks can be looked at, not trained.
        root: Option<PathBuf> = (None) in Kind::Path(&["none"]);
    }
}

settings! {
    /// What the phantom source generates. Case n is the same whatever other cases are asked for.
    pub struct Phantom("") {
        /// Which family of patients.
        seed: u64 = (1) in Kind::Int { min: 0, max: i64::MAX };
        /// Slices of a case.
        slices: usize = (32) in Kind::Int { min: 1, max: 2048 };
        /// Rows and columns of a slice. Units: pixels.
        pixels: usize = (192) in Kind::Int { min: 16, max: 1024 };
        /// Share of the cases that have a tumour.
        tumors: f64 = (0.7) in Kind::Float(Limits::FRACTION);
    }
}

settings! {
    /// Everything that decides which samples a volume gives and what they hold. The cache is keyed by all of it.
    pub struct Preprocessing("") {
        /// What is segmented: kidneys on whole slices, or tumours on crops around the kidneys.
        task: Task = (Task::Kidney) in Kind::Word(Task::WORDS);
        /// Grey values from black to white. Units: Hounsfield units.
        window: [f64; 2] = ([-30.0, 300.0]) in Kind::Range;
        /// Rows and columns of a sample. Units: pixels.
        size: [usize; 2] = ([256, 256]) in Kind::Size(&[]);
        /// How grey values are held between the window and the resize: in 8 bits, as OpenCV does, or in floating point.
        mode: Mode = (Mode::U8) in Kind::Word(Mode::WORDS);
        /// Side of the mean filter; 1 leaves it out. Units: pixels.
        mean: usize = (3) in Kind::Odd { max: 31 };
        /// Side of the median filter; 1 leaves it out. Units: pixels.
        median: usize = (7) in Kind::Odd { max: 31 };
        /// Which slices become samples: all, those with any label, with kidney or with tumour.
        select: Select = (Select::Any) in Kind::Word(Select::WORDS);
        /// Fewest pixels of the selected label for a slice to become a sample.
        min_pixels: usize = (1) in Kind::Int { min: 1, max: 1 << 30 };
        /// What the tumour task cuts out: a rectangle for each 8-connected component of the labels, or one around all of them.
        crop: Crop = (Crop::Component) in Kind::Word(Crop::WORDS);
        /// By how much the rectangles of the tumour task grow on each side. Units: pixels.
        pad: usize = (0) in Kind::Int { min: 0, max: 8192 };
        /// Which labels the kidney task segments: kidney and tumour, or kidney alone.
        kidney_mask: KidneyMask = (KidneyMask::Union) in Kind::Word(KidneyMask::WORDS);
    }
}

settings! {
    /// Random changes to training samples; the defaults leave a sample as it is.
    pub struct Augment("augment.") {
        /// Mirrors left and right for half of the training samples.
        flip: bool = (false) in Kind::Bool;
        /// Largest turn of a training sample either way. Units: degrees.
        rotate: f64 = (0.0) in Kind::Float(Limits::NOT_NEGATIVE.at_most(180.0));
        /// Largest relative change of a training sample's size either way: 0.1 gives 0.9 to 1.1.
        scale: f64 = (0.0) in Kind::Float(Limits::NOT_NEGATIVE.at_most(0.9));
        /// Largest change of a training sample's contrast either way: 0.2 raises grey values to powers from 1/1.2 to 1.2.
        gamma: f64 = (0.0) in Kind::Float(Limits::NOT_NEGATIVE.at_most(10.0));
        /// Standard deviation of noise that is added to training samples. Units: the window's width.
        noise: f64 = (0.0) in Kind::Float(Limits::NOT_NEGATIVE.at_most(10.0));
    }
}

/// Where volumes come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Volumes on disk.
    Kits19(Kits19),
    /// Volumes generated in memory.
    Phantom(Phantom),
}

impl Source {
    /// Every source, with its defaults.
    pub fn all() -> [Source; 2] {
        [
            Source::Kits19(Kits19::default()),
            Source::Phantom(Phantom::default()),
        ]
    }

    /// Its name in the language.
    pub fn word(&self) -> &'static str {
        match self {
            Source::Kits19(_) => "kits19",
            Source::Phantom(_) => "phantom",
        }
    }

    /// Shows the settings that no other source has.
    pub fn visit(&mut self, visitor: &mut impl Visitor) {
        match self {
            Source::Kits19(settings) => settings.visit(visitor),
            Source::Phantom(settings) => settings.visit(visitor),
        }
    }
}

/// Where preprocessed slices are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// In the folder that the environment names, else beside the run folder.
    Auto,
    /// Nowhere: every run preprocesses again.
    Off,
    /// In this folder.
    Folder(PathBuf),
}

impl Typed for Cache {
    fn value(&self) -> SettingValue {
        match self {
            Cache::Auto => SettingValue::Word("auto".to_owned()),
            Cache::Off => SettingValue::Word("off".to_owned()),
            Cache::Folder(path) => SettingValue::Text(path.to_string_lossy().into_owned()),
        }
    }

    fn of(value: SettingValue) -> Option<Cache> {
        match value {
            SettingValue::Text(path) => Some(Cache::Folder(path.into())),
            SettingValue::Word(word) if word == "off" => Some(Cache::Off),
            SettingValue::Word(_) => Some(Cache::Auto),
            _ => None,
        }
    }
}

/// The settings of a `data` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSettings {
    /// Where volumes come from.
    pub source: Source,
    /// Cases to train on.
    pub train: Cases,
    /// Cases to test on.
    pub test: Cases,
    /// How samples are made of volumes.
    pub preprocessing: Preprocessing,
    /// Where preprocessed slices are kept.
    pub cache: Cache,
    /// Random changes to training samples.
    pub augment: Augment,
}

impl DataSettings {
    const TRAIN: &Setting = &Setting {
        name: "train",
        kind: Kind::Cases,
        default: Some("0..180 of kits19, 0..8 of phantom"),
        doc: "Cases to train on: a half-open range, or a list of ranges and numbers.",
    };
    const TEST: &Setting = &Setting {
        name: "test",
        kind: Kind::Cases,
        default: Some("180..200 of kits19, 8..10 of phantom"),
        doc: "Cases to test on, after every epoch; the best checkpoint is chosen by them.",
    };
    const CACHE: &Setting = &Setting {
        name: "cache",
        kind: Kind::Path(&["auto", "off"]),
        default: Some("auto"),
        doc: "Folder of preprocessed slices; `auto` takes the one that HQCC_CACHE names, else .hqcc-cache beside the runs.",
    };

    /// The defaults for a source.
    pub fn of(source: Source) -> DataSettings {
        let (train, test) = match source {
            Source::Kits19(_) => (0..180, 180..200),
            Source::Phantom(_) => (0..8, 8..10),
        };
        DataSettings {
            source,
            train: train.into(),
            test: test.into(),
            preprocessing: Preprocessing::default(),
            cache: Cache::Auto,
            augment: Augment::default(),
        }
    }

    /// Shows every setting, in order.
    pub fn visit(&mut self, visitor: &mut impl Visitor) {
        // The whole value: a field that is added must be shown as well.
        let DataSettings {
            source,
            train,
            test,
            preprocessing,
            cache,
            augment,
        } = self;
        source.visit(visitor);
        visitor.visit(DataSettings::TRAIN, train);
        visitor.visit(DataSettings::TEST, test);
        preprocessing.visit(visitor);
        visitor.visit(DataSettings::CACHE, cache);
        augment.visit(visitor);
    }

    /// Every value that is outside its limits. No file is looked at.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.clone().visit(&mut faults);
        faults.0
    }
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings::of(Source::Kits19(Kits19::default()))
    }
}

impl Phantom {
    /// Every value that is outside its limits.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.clone().visit(&mut faults);
        faults.0
    }
}

/// A setting whose value is outside its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The setting.
    pub setting: &'static str,
    /// What it must do: `lie between 0 and 1`.
    pub must: String,
    /// Its value.
    pub value: SettingValue,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            setting,
            must,
            value,
        } = self;
        write!(f, "`{setting}` must {must}, and is {value}")
    }
}

/// Collects the faults of values.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Visitor for Faults {
    fn visit<T: Typed>(&mut self, setting: &'static Setting, value: &mut T) {
        let value = value.value();
        if let Some(must) = setting.kind.refusal(&value) {
            self.0.push(Fault {
                setting: setting.name,
                must,
                value,
            });
        }
    }
}

/// The words that a setting of the command line takes besides a path; `None` where it is no path. `key` is `data.root`, or
/// `root` below the name of a data section.
pub fn path_words(key: &[Ident]) -> Option<&'static [&'static str]> {
    struct Search<'k> {
        name: &'k str,
        words: Option<&'static [&'static str]>,
    }
    impl Visitor for Search<'_> {
        fn visit<T: Typed>(&mut self, setting: &'static Setting, _: &mut T) {
            if let Kind::Path(words) = setting.kind
                && setting.name == self.name
            {
                self.words = Some(words);
            }
        }
    }
    let [section, name] = key else {
        return None;
    };
    // Settings of models have names of their own.
    if section.name == "model" {
        return None;
    }
    let mut search = Search {
        name: &name.name,
        words: None,
    };
    for source in Source::all() {
        DataSettings::of(source).visit(&mut search);
    }
    search.words
}
