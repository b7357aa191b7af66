//! Files that the tests read.

use std::path::{Path, PathBuf};

/// A path of the test crate.
pub fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Real CT in KiTS19 layout; see its NOTICE.md.
pub fn ct() -> PathBuf {
    tests("fixtures/ct")
}

/// KiTS19 masks, which lie beside a checkout but never in it. `None`, with a message, where they are not there.
pub fn kits_masks() -> Option<PathBuf> {
    let folder = tests("../../shared/data/kits-masks");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}
