//! The cache of preprocessed slices: one file per case, named by what went in.
//!
//! A name is the hash of both files' content and of the preprocessing settings, so a cache never serves stale samples and
//! needs no clearing for correctness. Files appear by rename, so concurrent runs may fill one cache. Layout, little endian:
//! magic, count, rows, columns (u32 each), then slice, rectangle (u32 each) and spacing (f64 each) of each sample, the hash
//! of all that; then per sample
//! the image (f32), the mask (u8) and their hash.

use super::error::DataError;
use super::kits19::{self, CaseFiles};
use super::place::{Place, Rect};
use super::preprocess::{Record, case_records};
use super::volume::write_whole;
use crate::regular_file;
use hqcc_compiler::experiment::{Cache, Preprocessing};
use std::fs::Metadata;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

/// First bytes of a cache file. Another layout gets another number, and so do other checks of a case: a case that is found in
/// the cache is not checked again.
const MAGIC: &[u8; 8] = b"hqccsl03";
/// Bytes of a hash.
const HASH: usize = 32;
/// Bytes of one sample's entry in the head.
const ENTRY: usize = 44;

/// The folder of the cache, `None` where there is to be none: the setting, else HQCC_CACHE, else `.hqcc-cache` beside the
/// run folder.
pub fn folder(setting: &Cache, run_folder: &Path) -> Option<PathBuf> {
    match setting {
        Cache::Off => return None,
        Cache::Folder(folder) => return Some(folder.clone()),
        Cache::Auto => {}
    }
    match std::env::var("HQCC_CACHE") {
        Ok(text) if text == "off" => None,
        Ok(text) if !text.is_empty() => Some(PathBuf::from(text)),
        _ => Some(
            run_folder
                .parent()
                .unwrap_or(Path::new(""))
                .join(".hqcc-cache"),
        ),
    }
}

/// The cached samples of one case.
#[derive(Debug)]
pub struct CachedCase {
    path: PathBuf,
    places: Vec<Place>,
    size: [usize; 2],
    source: CaseFiles,
    settings: Preprocessing,
    rebuild: Mutex<()>,
}

impl CachedCase {
    /// Opens the case's cache file, or prepares the case and writes it.
    ///
    /// # Errors
    /// A fault of the case, or a failure to write the cache.
    pub fn open(
        folder: &Path,
        source: &CaseFiles,
        settings: &Preprocessing,
    ) -> Result<CachedCase, DataError> {
        let key = key(folder, source, settings)?;
        let path = folder.join(format!("{key}.slices"));
        let places = match read_head(&path, settings.size) {
            Some(places) => places,
            None => build(&path, source, settings)?,
        };
        Ok(CachedCase {
            path,
            places,
            size: settings.size,
            source: source.clone(),
            settings: settings.clone(),
            rebuild: Mutex::new(()),
        })
    }

    /// Slice and rectangle of each sample.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Image and mask of sample `i`. A damaged file is prepared anew once.
    ///
    /// # Errors
    /// A fault of the case that appeared after it was opened, or a failure to write the cache.
    pub fn read(&self, i: usize) -> Result<(Vec<f32>, Vec<u8>), DataError> {
        if let Some(found) = self.read_once(i) {
            return Ok(found);
        }
        let _one_at_a_time = self.rebuild.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(found) = self.read_once(i) {
            return Ok(found);
        }
        build(&self.path, &self.source, &self.settings)?;
        self.read_once(i).ok_or_else(|| DataError::CacheDamaged {
            path: self.path.clone(),
        })
    }

    fn read_once(&self, i: usize) -> Option<(Vec<f32>, Vec<u8>)> {
        let pixels = self.size[0] * self.size[1];
        let record = pixels * 5 + HASH;
        let mut file = regular_file::open(&self.path).ok()?;
        let at = head_bytes(self.places.len()) + i * record;
        file.seek(SeekFrom::Start(at as u64)).ok()?;
        let mut bytes = vec![0; record];
        file.read_exact(&mut bytes).ok()?;
        let (content, hash) = bytes.split_at(pixels * 5);
        if blake3::hash(content).as_bytes() != hash {
            return None;
        }
        let (image, mask) = content.split_at(pixels * 4);
        let word = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        Some((image.chunks_exact(4).map(word).collect(), mask.to_vec()))
    }
}

fn head_bytes(samples: usize) -> usize {
    MAGIC.len() + 12 + samples * ENTRY + HASH
}

/// What a cache file is named by: everything that its content depends on.
fn key(folder: &Path, source: &CaseFiles, settings: &Preprocessing) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MAGIC);
    hasher.update(content_hash(folder, &source.image)?.as_bytes());
    hasher.update(content_hash(folder, &source.labels)?.as_bytes());
    // The whole value, so that a setting that is added to it is part of the name from its first day.
    let failed = |error: serde_json::Error| DataError::io(folder)(error.into());
    hasher.update(&serde_json::to_vec(settings).map_err(failed)?);
    Ok(hasher.finalize().to_hex()[..40].to_owned())
}

/// Hash of a file's content. It is remembered by the file's [`state`], so that a large file is read once only.
fn content_hash(folder: &Path, path: &Path) -> Result<String, DataError> {
    let now = SystemTime::now();
    let meta = path.metadata().map_err(DataError::io(path))?;
    let full = path.canonicalize().map_err(DataError::io(path))?;
    let known = state(&meta, now).map(|state| {
        let name = format!("{} {state}", full.display());
        let name = &blake3::hash(name.as_bytes()).to_hex()[..40];
        folder.join("content").join(name)
    });
    if let Some(known) = &known
        && let Ok(text) = regular_file::read(known, 2 * HASH as u64)
        && let Ok(hash) = blake3::Hash::from_hex(&text)
    {
        return Ok(hash.to_hex().to_string());
    }
    let mut hasher = blake3::Hasher::new();
    let file = regular_file::open(path).map_err(DataError::io(path))?;
    hasher.update_reader(file).map_err(DataError::io(path))?;
    let hash = hasher.finalize().to_hex().to_string();
    if let Some(known) = &known {
        write_whole(known, |out| out.write_all(hash.as_bytes())).map_err(as_cache(folder))?;
    }
    Ok(hash)
}

/// What cannot stay the same when a file's content changes; `None` where the content must be hashed to know.
///
/// The time of modification can be set back, by `touch` or by a program that unpacks or synchronises files. The time of the
/// last change of the inode (ctime) cannot: the system sets it at every write and at every `touch`.
#[cfg(unix)]
fn state(meta: &Metadata, now: SystemTime) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    // File systems count time in steps of up to 2 s. Two changes within one step look the same, so the state of a file that
    // changed just now identifies nothing yet.
    const STEP: i64 = 2;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    (meta.ctime().saturating_add(STEP) < i64::try_from(now).ok()?).then(|| {
        format!(
            "{} {} {} {}.{} {}.{}",
            meta.dev(),
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec()
        )
    })
}

/// Elsewhere the system tells no time that programs cannot set.
#[cfg(not(unix))]
fn state(_meta: &Metadata, _now: SystemTime) -> Option<String> {
    None
}

/// The places that a cache file announces; `None` where it is absent, damaged, or of the wrong length.
fn read_head(path: &Path, size: [usize; 2]) -> Option<Vec<Place>> {
    let mut file = regular_file::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut start = [0; 20];
    file.read_exact(&mut start).ok()?;
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let [count, rows, columns] = [8, 12, 16].map(|at| word(&start[at..]));
    if &start[..8] != MAGIC || [rows, columns] != size {
        return None;
    }
    let expected = head_bytes(count) as u64 + count as u64 * (rows * columns * 5 + HASH) as u64;
    if length != expected {
        return None;
    }
    let mut rest = vec![0; count * ENTRY + HASH];
    file.read_exact(&mut rest).ok()?;
    let (entries, hash) = rest.split_at(count * ENTRY);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&start).update(entries);
    if hasher.finalize().as_bytes() != hash {
        return None;
    }
    let double = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    let place = |e: &[u8]| {
        let [slice, y0, y1, x0, x1] = [0, 4, 8, 12, 16].map(|at| word(&e[at..]));
        Place {
            slice,
            rect: Rect { y0, y1, x0, x1 },
            spacing: [20, 28, 36].map(|at| double(&e[at..])),
        }
    };
    Some(entries.chunks_exact(ENTRY).map(place).collect())
}

/// Prepares a case and writes its cache file.
fn build(
    path: &Path,
    source: &CaseFiles,
    settings: &Preprocessing,
) -> Result<Vec<Place>, DataError> {
    let (volume, labels) = kits19::read(source)?;
    let records = case_records(&volume, &labels, settings)?;
    drop((volume, labels));
    let folder = path.parent().unwrap_or(path);
    write_whole(path, |out| write_records(out, &records, settings.size))
        .map_err(as_cache(folder))?;
    Ok(records.iter().map(|record| record.place).collect())
}

fn write_records(out: &mut dyn Write, records: &[Record], size: [usize; 2]) -> std::io::Result<()> {
    let words = |head: &mut Vec<u8>, words: &[usize]| {
        head.extend(words.iter().flat_map(|w| (*w as u32).to_le_bytes()));
    };
    let mut head = MAGIC.to_vec();
    words(&mut head, &[records.len(), size[0], size[1]]);
    for Record { place, .. } in records {
        let Rect { y0, y1, x0, x1 } = place.rect;
        words(&mut head, &[place.slice, y0, y1, x0, x1]);
        head.extend(place.spacing.iter().flat_map(|mm| mm.to_le_bytes()));
    }
    out.write_all(&head)?;
    out.write_all(blake3::hash(&head).as_bytes())?;
    let mut content = Vec::new();
    for r in records {
        content.clear();
        content.extend(r.image.iter().flat_map(|v| v.to_le_bytes()));
        content.extend_from_slice(&r.mask);
        out.write_all(&content)?;
        out.write_all(blake3::hash(&content).as_bytes())?;
    }
    Ok(())
}

/// What is wrong with a file of the cache is wrong with its folder, and is said once for all cases.
fn as_cache(folder: &Path) -> impl FnOnce(DataError) -> DataError + '_ {
    move |error| match error {
        DataError::Io { source, .. } => DataError::Cache {
            path: folder.to_owned(),
            source,
        },
        other => other,
    }
}
