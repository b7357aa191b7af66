//! The lock on the folder of a run: one process at a time trains it.
//!
//! The lock is the operating system's, on the file `.lock`. It ends with the process, however that ends, so a killed run never
//! blocks its own resume. The content of the file only tells others who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder::RunFolder;
use super::folder_error::FolderError;

/// Longest text of the file that is read. Units: bytes.
const MAX_TEXT: u64 = 200;

/// Held while a process trains a run.
#[derive(Debug)]
pub struct RunLock {
    /// Closing it releases the lock.
    _file: File,
}

impl RunLock {
    /// Locks the run.
    ///
    /// # Errors
    /// Another process holds the lock; the file system's; a link in the place of the file.
    pub fn take(folder: &RunFolder) -> Result<RunLock, FolderError> {
        let path = folder.path().join(".lock");
        if path.symlink_metadata().is_ok_and(|file| !file.is_file()) {
            return Err(FolderError::Damaged {
                path,
                fault: "it is a link or a special file; a run locks no other file".into(),
            });
        }
        let failed = |source| FolderError::write(&path)(source);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Locked {
                    path: folder.path().to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let text = format!("process {} (since {})\n", std::process::id(), now());
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .map_err(failed)?;
        Ok(RunLock { _file: file })
    }
}

/// Who holds the lock. The text is missing where it is just being written, and cannot be read on Windows.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_TEXT).read_to_string(&mut text);
    match text.trim() {
        _ if read.is_err() => "another process".to_owned(),
        "" => "another process".to_owned(),
        text => text.to_owned(),
    }
}

/// The time as `2026-11-24 18:03:11 UTC`.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |since| since.as_secs()))
}

/// Date and time of so many seconds after the beginning of 1970.
///
/// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_735_689_599), "2024-12-31 23:59:59 UTC");
        assert_eq!(date(1_735_689_600), "2025-01-01 00:00:00 UTC");
    }

    #[test]
    fn a_run_is_locked_once_and_free_again_after() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path(), "r").unwrap();
        let lock = RunLock::take(&folder).unwrap();
        let message = RunLock::take(&folder).unwrap_err().to_string();
        let process = format!(
            "is being trained by process {} (since 2",
            std::process::id()
        );
        assert!(message.contains(&process), "{message}");
        drop(lock);
        RunLock::take(&folder).unwrap();
    }
}
