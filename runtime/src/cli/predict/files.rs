//! Which volumes are segmented, and where their masks go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::cli::Failure;

/// How deep folders are searched.
const DEPTH: usize = 32;
/// Masks in a KiTS19 folder, which are not volumes to predict from.
const MASKS: [&str; 2] = ["segmentation.nii.gz", "segmentation.nii"];

/// A volume and where its mask goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The volume.
    pub volume: PathBuf,
    /// The mask's path below the output folder.
    pub name: PathBuf,
    /// The mask.
    pub mask: PathBuf,
}

fn is_volume(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.ends_with(".nii") || name.ends_with(".nii.gz"))
}

/// The volumes that are meant and where their masks go: one volume's mask is the file `output`; otherwise `output` is a
/// folder in which each mask has the path that its volume has below the folder it was found in. Volumes that are named one
/// by one go by their file name, and by as much of their path as tells them apart.
///
/// # Errors
/// A folder without volumes, an output of the wrong kind, a mask that would take the place of a volume or of another mask.
pub fn jobs(given: &[PathBuf], output: &Path) -> Result<Vec<Job>, Failure> {
    let text = output.to_string_lossy();
    let names_file = is_volume(output);
    if let [volume] = given
        && !volume.is_dir()
        && !output.is_dir()
        && (names_file || output.extension().is_some())
    {
        if !names_file {
            return Err(Failure::new(format!(
                "a mask is a .nii or .nii.gz file; `{text}` is neither"
            )));
        }
        let job = Job {
            volume: volume.clone(),
            name: PathBuf::from(output.file_name().unwrap_or(output.as_os_str())),
            mask: output.to_path_buf(),
        };
        return checked(vec![job]);
    }
    if names_file && !output.is_dir() {
        return Err(Failure::new(format!(
            "the masks of several volumes go into a folder; `{text}` is the name of one mask"
        )));
    }
    let mut named: Vec<(PathBuf, PathBuf)> = Vec::new();
    let files: Vec<&PathBuf> = given.iter().filter(|path| !path.is_dir()).collect();
    for (volume, name) in files.iter().zip(told_apart(&files)) {
        named.push(((*volume).clone(), name));
    }
    for folder in given.iter().filter(|path| path.is_dir()) {
        let mut found = Vec::new();
        search(folder, output, DEPTH, &mut found)?;
        if found.is_empty() {
            return Err(Failure::new(format!(
                "{} holds no volume: no .nii or .nii.gz file that is not called segmentation",
                folder.display()
            )));
        }
        for volume in found {
            let name = volume.strip_prefix(folder).unwrap_or(&volume).to_path_buf();
            named.push((volume, name));
        }
    }
    let jobs = named.into_iter().map(|(volume, name)| Job {
        volume,
        mask: output.join(&name),
        name,
    });
    checked(jobs.collect())
}

/// The volumes below a folder in the order of their paths. Hidden files and the output are left out.
fn search(
    folder: &Path,
    output: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let refuse = |e: std::io::Error| Failure::new(format!("cannot read {}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(refuse)?;
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if name.starts_with('.') || same_place(&path, output) {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                search(&path, output, depth - 1, found)?;
            }
        } else if is_volume(&path) && !MASKS.contains(&name.as_str()) {
            found.push(path);
        }
    }
    Ok(())
}

fn same_place(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// File names, and where several files share one, as many of the folders above as tell them apart.
fn told_apart(files: &[&PathBuf]) -> Vec<PathBuf> {
    let parts: Vec<Vec<PathBuf>> = files
        .iter()
        .map(|file| {
            let parts = file.components().filter_map(|part| match part {
                Component::Normal(part) => Some(PathBuf::from(part)),
                _ => None,
            });
            parts.collect()
        })
        .collect();
    let tail = |parts: &[PathBuf], length: usize| -> PathBuf {
        parts[parts.len().saturating_sub(length)..].iter().collect()
    };
    let mut lengths = vec![1; files.len()];
    let longest = parts.iter().map(Vec::len).max().unwrap_or(1);
    for length in 1..longest {
        let mut count: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for (parts, length) in parts.iter().zip(&lengths) {
            *count.entry(tail(parts, *length)).or_default() += 1;
        }
        for (parts, own) in parts.iter().zip(&mut lengths) {
            if *own == length && count[&tail(parts, *own)] > 1 {
                *own += 1;
            }
        }
    }
    let pairs = parts.iter().zip(lengths);
    pairs.map(|(parts, length)| tail(parts, length)).collect()
}

/// Refuses masks that would take the place of a volume or of one another.
fn checked(jobs: Vec<Job>) -> Result<Vec<Job>, Failure> {
    let mut masks: BTreeMap<&Path, &Path> = BTreeMap::new();
    let volumes: BTreeSet<PathBuf> = jobs
        .iter()
        .filter_map(|job| job.volume.canonicalize().ok())
        .collect();
    for job in &jobs {
        let (volume, mask) = (job.volume.display(), job.mask.display());
        if let Some(other) = masks.insert(&job.mask, &job.volume) {
            let other = other.display();
            return Err(Failure::new(if other.to_string() == volume.to_string() {
                format!("{volume} is given twice")
            } else {
                format!("{other} and {volume} would both give {mask}; run them apart")
            }));
        }
        if job
            .mask
            .canonicalize()
            .is_ok_and(|mask| volumes.contains(&mask))
        {
            return Err(Failure::new(format!(
                "the mask {mask} would take the place of a volume; choose another folder"
            )));
        }
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Vec<String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let files: Vec<&PathBuf> = files.iter().collect();
        let names = told_apart(&files).into_iter();
        names.map(|name| name.display().to_string()).collect()
    }

    #[test]
    fn names_tell_volumes_apart() {
        assert_eq!(names(&["/x/a.nii", "y/b.nii"]), ["a.nii", "b.nii"]);
        assert_eq!(
            names(&["k/0/im.nii", "k/1/im.nii", "k/1/other.nii"]),
            ["0/im.nii", "1/im.nii", "other.nii"]
        );
        assert_eq!(
            names(&["a/s/im.nii", "b/s/im.nii", "im.nii"]),
            ["a/s/im.nii", "b/s/im.nii", "im.nii"]
        );
    }
}
