//! The layout of KiTS19: case_00000/imaging.nii.gz and segmentation.nii.gz under a root or its folder `data`.

use super::error::DataError;
use super::header::require_same_place;
use super::volume::{Labels, Volume};
use hqcc_compiler::experiment::Cases;
use std::path::{Path, PathBuf};

/// The two files of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFiles {
    /// Case number.
    pub case: u32,
    /// The CT volume.
    pub image: PathBuf,
    /// The label volume.
    pub labels: PathBuf,
}

/// `case_00003` for 3.
pub fn case_name(case: u32) -> String {
    format!("case_{case:05}")
}

/// The folder that holds the cases: `root/data` if that has any, otherwise `root`.
///
/// # Errors
/// `MissingRoot` if there is no such folder.
pub fn case_folder(root: &Path) -> Result<PathBuf, DataError> {
    if !root.is_dir() {
        return Err(DataError::MissingRoot {
            path: root.to_owned(),
        });
    }
    let inner = root.join("data");
    let cases = present(&inner).unwrap_or_default();
    Ok(if cases.is_empty() {
        root.to_owned()
    } else {
        inner
    })
}

/// The case numbers of a folder, ascending.
///
/// # Errors
/// `Io` if the folder cannot be listed.
pub fn present(folder: &Path) -> Result<Vec<u32>, DataError> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let name = entry.map_err(DataError::io(folder))?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("case_"));
        let number = number.filter(|n| n.len() == 5);
        cases.extend(number.and_then(|n| n.parse::<u32>().ok()));
    }
    cases.sort_unstable();
    cases.dedup();
    Ok(cases)
}

/// The files of the cases of a split, in their order.
///
/// # Errors
/// `MissingRoot`, `MissingCase` with the first missing folder and how many are, `MissingFile`.
pub fn find(root: &Path, cases: &Cases, split: &'static str) -> Result<Vec<CaseFiles>, DataError> {
    let folder = case_folder(root)?;
    let missing: Vec<u32> = cases
        .iter()
        .filter(|c| !folder.join(case_name(*c)).is_dir())
        .collect();
    if let Some(first) = missing.first() {
        let there = present(&folder)?;
        return Err(DataError::MissingCase {
            path: folder.join(case_name(*first)),
            missing: missing.len(),
            asked: cases.len(),
            split,
            present: there.first().copied().zip(there.last().copied()),
        });
    }
    let mut errors = Vec::new();
    let mut files = Vec::new();
    for case in cases.iter() {
        let folder = folder.join(case_name(case));
        match (file(&folder, "imaging"), file(&folder, "segmentation")) {
            (Ok(image), Ok(labels)) => files.push(CaseFiles {
                case,
                image,
                labels,
            }),
            (image, labels) => errors.extend([image.err(), labels.err()].into_iter().flatten()),
        }
    }
    DataError::all(errors).map_or(Ok(files), Err)
}

/// `name.nii.gz` of a folder, or `name.nii`.
fn file(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let packed = folder.join(format!("{name}.nii.gz"));
    let plain = folder.join(format!("{name}.nii"));
    if packed.is_file() {
        Ok(packed)
    } else if plain.is_file() {
        Ok(plain)
    } else {
        Err(DataError::MissingFile { path: packed })
    }
}

/// Reads both volumes of a case at once, on two threads.
///
/// # Errors
/// What either file has wrong with it, different shapes, affines that put the two in different places.
pub fn read(files: &CaseFiles) -> Result<(Volume, Labels), DataError> {
    let (volume, labels) = rayon::join(
        || Volume::read(&files.image),
        || Labels::read(&files.labels),
    );
    match (volume, labels) {
        (Ok(volume), Ok(labels)) => {
            let mask = (labels.path.as_path(), &labels.geometry);
            require_same_place((&volume.path, &volume.geometry), mask)?;
            Ok((volume, labels))
        }
        (Err(image), Err(labels)) => Err(DataError::Many(vec![image, labels])),
        (Err(e), Ok(_)) | (Ok(_), Err(e)) => Err(e),
    }
}
