//! Files that are there in full or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are gathered before a write.
const BUFFER: usize = 1 << 18;

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
    let temporary = temporary_name(path)?;
    let written = (|| {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(&temporary)?);
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

/// The name under which `path` is written: its own, hidden, with the process id and a number of this process.
fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let hidden = format!(".{}.{process}.{count}.tmp", name.to_string_lossy());
    Ok(path.with_file_name(hidden))
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
}
