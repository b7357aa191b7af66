//! The settings of a `data` section.

use super::error::DataError;
use super::phantom::PhantomSettings;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;

/// Where volumes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Folders case_00000, case_00001, ... with imaging.nii.gz and segmentation.nii.gz.
    #[default]
    Kits19,
    /// Generated in memory.
    Phantom,
}

/// What is to be segmented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Kidneys on whole slices.
    #[default]
    Kidney,
    /// Tumours on crops around the kidneys.
    Tumor,
}

/// How grey values are held between the window and the resize.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 8 bit, as OpenCV's median needs it.
    #[default]
    U8,
    /// 32-bit floating point.
    F32,
}

/// Which slices become samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Every slice.
    All,
    /// Slices with a label.
    #[default]
    Any,
    /// Slices with label 1.
    Kidney,
    /// Slices with label 2.
    Tumor,
}

/// What the tumour task cuts out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// One rectangle for each 8-connected component of the labels.
    #[default]
    Component,
    /// One rectangle around all labels of the slice.
    Union,
}

/// Which labels are kidney in the kidney task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KidneyMask {
    /// Labels 1 and 2.
    #[default]
    Union,
    /// Label 1 alone.
    Strict,
}

/// Case numbers: half-open ranges, written `0..180` or `0..150, 160..180`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cases(pub Vec<Range<u32>>);

impl Cases {
    /// The case numbers in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// How many cases these are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|r| r.len()).sum()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Range<u32>> for Cases {
    fn from(range: Range<u32>) -> Cases {
        Cases(vec![range])
    }
}

impl From<Cases> for String {
    fn from(cases: Cases) -> String {
        let text = |r: &Range<u32>| format!("{}..{}", r.start, r.end);
        cases.0.iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

impl TryFrom<String> for Cases {
    type Error = String;

    fn try_from(text: String) -> Result<Cases, String> {
        let part = |part: &str| {
            let (start, end) = part.trim().split_once("..")?;
            Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
        };
        text.split(',')
            .filter(|p| !p.trim().is_empty())
            .map(|p| part(p).ok_or_else(|| format!("`{p}` is no range of cases such as 0..180")))
            .collect::<Result<_, _>>()
            .map(Cases)
    }
}

/// Random changes to training samples; 0 and `false` leave a sample as it is, and that is the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Mirror left and right for half of the samples.
    pub flip: bool,
    /// Largest turn either way. Units: degrees.
    pub rotate: f64,
    /// Largest relative change of size either way: 0.1 gives 0.9 to 1.1.
    pub scale: f64,
    /// Largest exponent either way: 0.2 raises grey values to powers from 1/1.2 to 1.2.
    pub gamma: f64,
    /// Standard deviation of added noise. Units: the image's, where the window is 0 to 1.
    pub noise: f64,
}

/// Everything that decides which samples there are and what they hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// Where volumes come from.
    pub layout: Layout,
    /// The folder of a layout on disk.
    pub root: Option<PathBuf>,
    /// What is to be segmented.
    pub task: Task,
    /// Grey values from black to white. Units: Hounsfield units.
    pub window: [f64; 2],
    /// Rows and columns of a sample.
    pub size: [usize; 2],
    /// Cases to train on.
    pub train: Cases,
    /// Cases to test on.
    pub test: Cases,
    /// How grey values are held between the window and the resize.
    pub mode: Mode,
    /// Side of the mean filter; 1 leaves it out.
    pub mean: usize,
    /// Side of the median filter; 1 leaves it out.
    pub median: usize,
    /// Which slices become samples.
    pub select: Select,
    /// Fewest pixels of the selected label for a slice to become a sample.
    pub min_pixels: usize,
    /// What the tumour task cuts out.
    pub crop: Crop,
    /// By how many pixels the tumour task's rectangles grow on each side.
    pub pad: usize,
    /// Which labels are kidney in the kidney task.
    pub kidney_mask: KidneyMask,
    /// Folder of the cache of preprocessed slices; `auto` and `off` are the other choices.
    pub cache: String,
    /// Random changes to training samples.
    pub augment: Augment,
    /// What the phantom layout generates.
    pub phantom: PhantomSettings,
}

impl Default for DataSettings {
    fn default() -> DataSettings {
        DataSettings {
            layout: Layout::default(),
            root: None,
            task: Task::default(),
            window: [-30.0, 300.0],
            size: [256, 256],
            train: Cases::default(),
            test: Cases::default(),
            mode: Mode::default(),
            mean: 3,
            median: 7,
            select: Select::default(),
            min_pixels: 1,
            crop: Crop::default(),
            pad: 0,
            kidney_mask: KidneyMask::default(),
            cache: "auto".into(),
            augment: Augment::default(),
            phantom: PhantomSettings::default(),
        }
    }
}

/// Largest side of a filter.
const MAX_FILTER: usize = 31;
/// Largest side of a sample.
const MAX_SIDE: usize = 8192;

impl DataSettings {
    /// Checks what can be checked without touching a file.
    ///
    /// - Errors: `Setting` names the setting and what it may be; `Many` holds several.
    pub fn check(&self) -> Result<(), DataError> {
        let mut errors = Vec::new();
        let mut bad = |setting, fault: String| errors.push(DataError::Setting { setting, fault });
        let [lo, hi] = self.window;
        if !(lo.is_finite() && hi.is_finite() && lo < hi) {
            bad(
                "window",
                format!("[{lo}, {hi}] is no range; write [lowest, highest] in HU"),
            );
        }
        if self.size.iter().any(|s| !(1..=MAX_SIDE).contains(s)) {
            bad(
                "size",
                format!("{:?} is outside 1 to {MAX_SIDE}", self.size),
            );
        }
        for (name, side) in [("mean", self.mean), ("median", self.median)] {
            if side % 2 == 0 || side > MAX_FILTER {
                bad(
                    name,
                    format!("{side} is not an odd number from 1 (off) to {MAX_FILTER}"),
                );
            }
        }
        for (name, cases) in [("train", &self.train), ("test", &self.test)] {
            if let Some(r) = cases.0.iter().find(|r| r.start > r.end || r.end > 100_000) {
                bad(
                    name,
                    format!(
                        "{}..{} is no range of case numbers below 100000",
                        r.start, r.end
                    ),
                );
            }
        }
        let a = &self.augment;
        let limits = [
            ("augment.rotate", a.rotate, 180.0),
            ("augment.scale", a.scale, 0.9),
            ("augment.gamma", a.gamma, 10.0),
            ("augment.noise", a.noise, 10.0),
        ];
        for (name, value, most) in limits {
            if !(0.0..=most).contains(&value) {
                bad(name, format!("{value} is outside 0 to {most}"));
            }
        }
        if self.layout == Layout::Kits19 && self.root.is_none() {
            bad(
                "root",
                "is not set; give the folder that holds case_00000, case_00001, ...".into(),
            );
        }
        if let Err(e) = self.phantom.check() {
            errors.push(e);
        }
        DataError::all(errors).map_or(Ok(()), Err)
    }
}
