//! Files changed at random: reading gives a volume or an error, and never panics or asks for absurd memory.

use crate::fixtures::{gzip, small_case};
use hqcc::data::{Labels, Volume};
use hqcc::random::Stream;
use std::path::Path;

/// Values that break header fields more often than random bytes do.
const NASTY: [[u8; 4]; 8] = [
    [0xff; 4],
    [0, 0, 0, 0],
    [0xff, 0x7f, 0xff, 0x7f],
    [0, 0x80, 0, 0x80],
    [0, 0, 0xc0, 0x7f],
    [0, 0, 0x80, 0xff],
    [1, 0, 0, 0],
    [0, 0, 0, 0x4f],
];

fn read(path: &Path, bytes: &[u8]) -> [bool; 2] {
    std::fs::write(path, bytes).unwrap();
    let (volume, labels) = (Volume::read(path), Labels::read(path));
    for error in [volume.as_ref().err(), labels.as_ref().err()]
        .into_iter()
        .flatten()
    {
        assert!(
            error.to_string().contains("hostile"),
            "the file is not named: {error}"
        );
    }
    if let Ok(v) = &volume {
        let n = v.geometry.voxels();
        assert!(n <= 1 << 16, "{n} voxels from {} bytes", bytes.len());
        assert_eq!(v.slice(0).len() * v.geometry.shape[0], n);
    }
    [volume.is_ok(), labels.is_ok()]
}

#[test]
fn changed_headers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.nii");
    let (image, labels) = small_case();
    let files = [image.bytes(), labels.bytes()];
    let stream = Stream::new(5, "hostile headers");
    let (mut good, mut bad) = (0, 0);
    for round in 0..6000u64 {
        let mut bytes = files[round as usize % 2].clone();
        let w = stream.bits(round);
        for k in 0..1 + (w[3] % 3) as usize {
            // Mostly where the fields are that matter.
            let at = match w[0] % 4 {
                0 => (w[k] >> 8) as usize % 348,
                1 => 40 + (w[k] >> 8) as usize % 40,
                2 => 68 + (w[k] >> 8) as usize % 56,
                _ => 252 + (w[k] >> 8) as usize % 96,
            };
            let nasty = NASTY[(w[2] >> (4 * k)) as usize % NASTY.len()];
            let n = [1, 2, 4, 4][(w[1] >> (2 * k)) as usize % 4].min(348 - at);
            bytes[at..at + n].copy_from_slice(&nasty[..n]);
        }
        let [volume, labels] = read(&path, &bytes);
        good += u32::from(volume || labels);
        bad += u32::from(!volume && !labels);
    }
    // Both must occur, or the changes are too tame or too wild to test anything.
    assert!(good > 300 && bad > 1500, "{good} read, {bad} refused");
}

#[test]
fn changed_gzip_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.nii.gz");
    let packed = gzip(&small_case().0.bytes());
    let stream = Stream::new(6, "hostile streams");
    for round in 0..2000u64 {
        let mut bytes = packed.clone();
        let w = stream.bits(round);
        let at = w[0] as usize % bytes.len();
        bytes[at] ^= 1 << (w[1] % 8);
        if w[2].is_multiple_of(3) {
            bytes.truncate(w[3] as usize % bytes.len());
        }
        read(&path, &bytes);
    }
}

#[test]
fn an_announced_giant_is_refused_before_it_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.nii.gz");
    let (mut image, _) = small_case();
    // 562 TB announced by a file of a few hundred bytes.
    image.dim = [3, 32767, 32767, 32767, 1, 1, 1, 1];
    std::fs::write(&path, gzip(&image.bytes())).unwrap();
    let start = std::time::Instant::now();
    let text = Volume::read(&path).unwrap_err().to_string();
    assert!(text.contains("cannot hold"), "{text}");
    assert!(start.elapsed().as_secs() < 5);
}
