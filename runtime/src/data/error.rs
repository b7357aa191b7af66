//! What can be wrong with data, said with the file, the fault and the way out.

use crate::tensor::TensorError;
use hqcc_compiler::experiment::{Fault, Preprocessing};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A fault of the data or of the settings that choose it. Every message names where it is and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A sample that is not as large as the others.
    #[error(transparent)]
    Sample(#[from] TensorError),
    /// A setting outside its limits.
    #[error("data setting {0}")]
    Setting(Fault),
    /// The layout of KiTS19 without a folder.
    #[error("`data.root` is not set; give the folder that holds case_00000, case_00001, ...")]
    NoRoot,
    /// The root folder is not there.
    #[error(
        "data root {} does not exist; set `data.root` to the folder that holds case_00000, case_00001, ... (or a folder `data` with them)",
        path.display()
    )]
    MissingRoot {
        /// The folder that was looked for.
        path: PathBuf,
    },
    /// Cases of a range that are not on disk.
    #[error(
        "{} is missing ({missing} of the {asked} cases of `{split}` are); {}",
        path.display(),
        match present {
            Some((first, last)) => format!("the cases here run from {first} to {last}"),
            None => "there is no case here at all".to_owned(),
        }
    )]
    MissingCase {
        /// The first missing folder.
        path: PathBuf,
        /// How many are missing.
        missing: usize,
        /// How many the split asks for.
        asked: usize,
        /// `train` or `test`.
        split: &'static str,
        /// Smallest and largest case number on disk.
        present: Option<(u32, u32)>,
    },
    /// A case without one of its two files.
    #[error("{} is missing: a case needs imaging.nii.gz and segmentation.nii.gz (or .nii)", path.display())]
    MissingFile {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// A file that was named and is not there.
    #[error("{} does not exist", path.display())]
    NoFile {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// A file that phantom would have to overwrite.
    #[error(
        "{} exists and is not the volume that these settings generate; phantom overwrites no file, and nothing was written: \
         choose another folder",
        path.display()
    )]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of no bytes.
    #[error("{} is empty (0 bytes); fetch it again", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The file ends, or its compression breaks, before the voxels do.
    #[error(
        "{} is truncated or damaged: {fault} after {read} of the {expected} bytes its header announces; fetch it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What the decoder met.
        fault: String,
        /// Bytes that could be read, uncompressed.
        read: u64,
        /// Bytes the header announces, uncompressed.
        expected: u64,
    },
    /// A header that no volume can have.
    #[error("{}: not a usable NIfTI-1 volume: {fault}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The field and its value.
        fault: String,
    },
    /// A volume that does not fit into memory.
    #[error("{}: not enough memory for its voxels: {bytes} bytes needed", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes asked for.
        bytes: u64,
    },
    /// A voxel that is NaN or infinite, as stored or after scaling.
    #[error(
        "{}: voxel [slice {}, row {}, column {}] is {}, and {} more are not finite; mend or leave out this case",
        path.display(), at[0], at[1], at[2],
        if value.is_nan() { "not a number (NaN)" } else { "infinite" },
        count - 1
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first such voxel.
        at: [usize; 3],
        /// Its value.
        value: f64,
        /// How many there are.
        count: usize,
    },
    /// A volume in another orientation than the one that networks are trained on.
    #[error("{}: {fault}", path.display())]
    Orientation {
        /// The file.
        path: PathBuf,
        /// What was found and what is wanted.
        fault: String,
    },
    /// A label that the label map does not hold.
    #[error(
        "{}: voxel [slice {}, row {}, column {}] has label {}; expected 0 (background), 1 (kidney) or 2 (tumour)",
        path.display(), at[0], at[1], at[2], number(*label)
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// The first such voxel.
        at: [usize; 3],
        /// Its value.
        label: f64,
    },
    /// Image and mask of different shape.
    #[error(
        "{} is {image:?} voxels but {} is {mask:?}: image and mask must have the same shape",
        image_path.display(), mask_path.display()
    )]
    ShapeMismatch {
        /// The image file.
        image_path: PathBuf,
        /// The mask file.
        mask_path: PathBuf,
        /// Slices, rows, columns of the image.
        image: [usize; 3],
        /// Slices, rows, columns of the mask.
        mask: [usize; 3],
    },
    /// Image and mask of one shape in different places.
    #[error(
        "{} and {} have one shape, but their affines put the same voxel up to {} mm apart: the mask belongs to another image, \
         or one of the two headers is wrong",
        image_path.display(), mask_path.display(), number((apart * 100.0).round() / 100.0)
    )]
    AffineMismatch {
        /// The image file.
        image_path: PathBuf,
        /// The mask file.
        mask_path: PathBuf,
        /// Largest distance. Units: millimetres.
        apart: f64,
    },
    /// An output of the network that is not a probability.
    #[error(
        "the network gives {value} for a pixel of slice {slice}: its weights are damaged, or it has diverged"
    )]
    NoProbability {
        /// Slice of the volume.
        slice: usize,
        /// The value.
        value: f32,
    },
    /// A split without a sample.
    #[error("the {split} split is empty: {fault}")]
    EmptySplit {
        /// `train` or `test`.
        split: &'static str,
        /// Why nothing was left.
        fault: String,
    },
    /// The cache cannot be written.
    #[error(
        "cannot write the cache of slices in {}: {source}; set `data.cache = off`, or HQCC_CACHE to another folder",
        path.display()
    )]
    Cache {
        /// Folder of the cache.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A cached slice that stays damaged although its case was prepared anew.
    #[error("{} is damaged again right after it was rebuilt; check the disk, or set `data.cache = off`", path.display())]
    CacheDamaged {
        /// The file of the cache.
        path: PathBuf,
    },
    /// The thread that prepares batches ended before the epoch did.
    #[error("the thread that prepares batches ended with {left} batches to go")]
    ReaderEnded {
        /// Batches that are missing.
        left: usize,
    },
    /// The tumour task without kidneys to look at.
    #[error("{}: the tumour task crops around the kidneys; give their labels as well", path.display())]
    NoLabels {
        /// The volume.
        path: PathBuf,
    },
    /// Several faults at once.
    #[error("{} faults in the data:\n{}", .0.len(), .0.iter().map(|e| format!("  - {e}")).collect::<Vec<_>>().join("\n"))]
    Many(Vec<DataError>),
}

impl DataError {
    /// Wraps an error of the operating system about `path`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> DataError + '_ {
        move |source| DataError::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Refuses settings that are outside their limits.
    ///
    /// # Errors
    /// `Setting` for each of them.
    pub(super) fn settings(faults: Vec<Fault>) -> Result<(), DataError> {
        let errors = faults.into_iter().map(DataError::Setting);
        DataError::all(errors.collect()).map_or(Ok(()), Err)
    }

    /// A split whose cases hold nothing that the settings choose.
    pub(super) fn no_sample(
        split: &'static str,
        cases: usize,
        settings: &Preprocessing,
    ) -> DataError {
        DataError::EmptySplit {
            split,
            fault: format!(
                "no slice of its {cases} cases is chosen by `task = {}`, `select = {}` and `min_pixels = {}`",
                settings.task, settings.select, settings.min_pixels
            ),
        }
    }

    /// One error of several: the only one itself, or all together, each once. `None` of none.
    pub fn all(errors: Vec<DataError>) -> Option<DataError> {
        let mut seen = BTreeSet::new();
        let mut all: Vec<DataError> = errors
            .into_iter()
            .flat_map(|error| match error {
                DataError::Many(errors) => errors,
                error => vec![error],
            })
            // A case of both splits is read for both, and a full disk refuses every case.
            .filter(|error| seen.insert(error.to_string()))
            .collect();
        match all.len() {
            0 => None,
            1 => all.pop(),
            _ => Some(DataError::Many(all)),
        }
    }
}

/// A number as people write it: `-30.5`, and `1e308` where that would have hundreds of digits.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || (1e-5..1e15).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(-30.5), "-30.5");
        assert_eq!(number(7.0), "7");
        assert_eq!(number(1e308), "1e308");
        assert_eq!(number(-2.5e-9), "-2.5e-9");
    }
}
