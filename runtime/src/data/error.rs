//! What can be wrong with data, said with the file, the fault and the way out.

use hqcc_compiler::experiment::{Fault, Preprocessing};
use std::path::{Path, PathBuf};

/// A fault of the data or of the settings that choose it. Every message names where it is and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
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
    #[error("{}: {bytes} bytes of memory for its voxels are not to be had", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes asked for.
        bytes: u64,
    },
    /// A voxel that is no number.
    #[error(
        "{}: voxel [slice {}, row {}, column {}] is not a number (NaN), as are {} more; mend or leave out this case",
        path.display(), at[0], at[1], at[2], count - 1
    )]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The first such voxel.
        at: [usize; 3],
        /// How many there are.
        count: usize,
    },
    /// A label that the label map does not hold.
    #[error(
        "{}: voxel [slice {}, row {}, column {}] has label {label}; expected 0 (background), 1 (kidney) or 2 (tumour)",
        path.display(), at[0], at[1], at[2]
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
        /// Folder or file of the cache.
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
    /// Wraps what the operating system said about `path`.
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

    /// One error of several: the only one itself, or all together. `None` of none.
    pub fn all(mut errors: Vec<DataError>) -> Option<DataError> {
        match errors.len() {
            0 => None,
            1 => errors.pop(),
            _ => Some(DataError::Many(errors)),
        }
    }
}
