//! Files that are there in full or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are gathered before a write.
const BUFFER: usize = 1 << 18;

/// Extension of files that are not complete yet.
const TEMPORARY: &str = "tmp";

/// Writes `bytes` to `path`, as `replace_with` does.
///
/// # Errors
/// Whatever the file system says; the temporary file is removed.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, |file| file.write_all(bytes))
}

/// Writes what `content` writes to `path` so that after a crash at any moment the file holds either its old content or the
/// new one: a sibling under a temporary name, synced, renamed, and the directory synced. Several writers may write the
/// same path at once; one of them is the last.
///
/// # Errors
/// Whatever `content` or the file system says; the temporary file is removed.
pub fn replace_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (temporary, file) = create_temporary(path)?;
    let written = (|| {
        let mut file = BufWriter::with_capacity(BUFFER, file);
        content(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_directory(directory)
}

/// Creates the file under which `path` is written: its own name, hidden, with the process id and a number of this process.
/// The file is always a new one: a link that somebody has put under the name is never followed.
fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let process = std::process::id();
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let hidden = format!(".{}.{process}.{count}.{TEMPORARY}", name.to_string_lossy());
        let temporary = path.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            // A process of the same number was killed here, or the name was planted.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Removes the temporary files that killed processes left in `folder`. Nobody else may be writing there.
///
/// # Errors
/// The folder cannot be listed, or a file cannot be removed.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_temporary(&name.to_string_lossy()) && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether `create_temporary` makes such names: `.NAME.PROCESS.COUNT.tmp`.
fn is_temporary(name: &str) -> bool {
    let mut parts = name.rsplit('.');
    let is_number = |part: Option<&str>| part.is_some_and(|text| text.parse::<u64>().is_ok());
    name.starts_with('.')
        && parts.next() == Some(TEMPORARY)
        && is_number(parts.next())
        && is_number(parts.next())
}

/// Makes a rename in `directory` last. Directories cannot be opened on Windows, where renames are journaled.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(windows) {
        Ok(())
    } else {
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace_file(&folder.path().join("missing/a"), b"").is_err());
    }

    #[test]
    fn leftovers_of_killed_processes_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            ".last.safetensors.123.4.tmp",
            ".lock",
            "a.1.2.tmp",
            ".b.x.2.tmp",
        ] {
            fs::write(at(name), b"").unwrap();
        }
        remove_leftovers(folder.path()).unwrap();
        assert!(!at(".last.safetensors.123.4.tmp").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_under_the_temporary_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("a.bin"), folder.path().join("target"));
        fs::write(&target, b"precious").unwrap();
        // Whatever number comes next, a link is there already.
        let process = std::process::id();
        for count in 0..200 {
            let name = format!(".a.bin.{process}.{count}.tmp");
            std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
        }
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!path.symlink_metadata().unwrap().is_symlink());
    }
}
