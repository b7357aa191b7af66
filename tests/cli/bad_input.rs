//! Bad input: each ends with exit code 1 and a message that names what is wrong, and none panics.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Ended, command, ended, experiments, hqcc};

/// The message, after checks that hold for all of them.
fn refused(what: &str, result: &Ended) -> String {
    assert_eq!(
        result.code,
        Some(1),
        "{what}: {}\n{}",
        result.out,
        result.err
    );
    for trace in ["panicked", "RUST_BACKTRACE"] {
        assert!(!result.err.contains(trace), "{what}: {}", result.err);
    }
    result.err.clone()
}

fn expect(what: &str, result: &Ended, parts: &[&str]) {
    let message = refused(what, result);
    for part in parts {
        assert!(
            message.contains(part),
            "{what}: `{part}` is not in:\n{message}"
        );
    }
}

/// A folder with three phantom cases on disk and an experiment that reads them.
fn three_cases() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::volumes(folder.path());
    let args = [
        "phantom", "volumes", "--cases", "3", "--slices", "6", "--pixels", "32",
    ];
    let written = hqcc(folder.path(), args);
    assert_eq!(written.code, Some(0), "{}", written.err);
    folder
}

fn file(folder: &Path, case: u32, name: &str) -> PathBuf {
    folder.join(format!("volumes/case_{case:05}/{name}.nii.gz"))
}

/// Changes the uncompressed bytes of a file.
fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    let packed = fs::read(path).expect("the phantom is there");
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("it is gzip");
    edit(&mut bytes);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).expect("memory takes it");
    fs::write(path, encoder.finish().expect("memory takes it")).expect("the file can be written");
}

fn run(folder: &Path, more: &[&str]) -> Ended {
    hqcc(
        folder,
        [
            &["run", "disk.hqc", "--device", "cpu", "-s", "data.cache=off"],
            more,
        ]
        .concat(),
    )
}

#[test]
fn volumes_that_are_sound_train() {
    let folder = three_cases();
    let result = run(folder.path(), &[]);
    assert_eq!(result.code, Some(0), "{}", result.err);
    assert!(result.out.starts_with("device: cpu"), "{}", result.out);
    assert!(result.out.contains("run: runs/disk-1"), "{}", result.out);
}

#[test]
fn a_missing_root() {
    let folder = three_cases();
    let result = run(folder.path(), &["-s", "data.root=nowhere"]);
    expect("missing root", &result, &["nowhere", "does not exist"]);
    assert!(
        !folder.path().join("runs").exists(),
        "a run that never began left a folder"
    );
}

#[test]
fn a_truncated_volume() {
    let folder = three_cases();
    let path = file(folder.path(), 1, "imaging");
    let bytes = fs::read(&path).expect("the phantom is there");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("the file can be written");
    expect(
        "truncated",
        &run(folder.path(), &[]),
        &["case_00001", "imaging.nii.gz", "truncated"],
    );
}

#[test]
fn a_mask_of_another_shape() {
    let folder = three_cases();
    let other = hqcc(
        folder.path(),
        [
            "phantom", "other", "--cases", "1", "--slices", "5", "--pixels", "32",
        ],
    );
    assert_eq!(other.code, Some(0), "{}", other.err);
    let mask = folder.path().join("other/case_00000/segmentation.nii.gz");
    fs::copy(mask, file(folder.path(), 0, "segmentation")).expect("the file can be written");
    let result = run(folder.path(), &[]);
    expect(
        "shape",
        &result,
        &["case_00000", "[6, 32, 32]", "[5, 32, 32]", "same shape"],
    );
}

#[test]
fn a_label_outside_the_map() {
    let folder = three_cases();
    // The voxels begin at byte 352; the last one is background.
    change(&file(folder.path(), 2, "segmentation"), |bytes| {
        *bytes.last_mut().expect("voxels") = 7
    });
    expect(
        "label 7",
        &run(folder.path(), &[]),
        &["case_00002", "label 7"],
    );
}

#[test]
fn an_empty_split() {
    let folder = three_cases();
    expect(
        "no case",
        &run(folder.path(), &["-s", "data.test=0..0"]),
        &["`test`", "name at least one case"],
    );
    let result = run(folder.path(), &["-s", "data.min_pixels=1000000"]);
    expect("no slice", &result, &["train", "empty"]);
}

#[test]
fn three_errors_in_one_file_are_all_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let path = folder.path().join("tiny.hqc");
    let text = fs::read_to_string(&path).expect("it was just written");
    let broken = text
        .replace("loss = bce + dice", "loss = bce + dise")
        .replace("batch = 4", "bach = 4")
        .replace("seed = 7", "seed = true");
    fs::write(&path, broken).expect("the file can be written");
    let result = hqcc(folder.path(), ["run", "tiny.hqc"]);
    expect(
        "three errors",
        &result,
        &["dise", "bach", "seed", "tiny.hqc:"],
    );
    assert!(
        refused("three errors", &result).matches("error[").count() >= 3,
        "{}",
        result.err
    );
}

#[test]
fn a_setting_that_does_not_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let result = hqcc(folder.path(), ["run", "tiny.hqc", "-s", "train.epoch=5"]);
    expect("unknown key", &result, &["train.epoch", "epochs"]);
}

// Elsewhere the CPU executor does not know how much memory there is.
#[cfg(target_os = "linux")]
#[test]
fn a_batch_too_big_for_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A hundred layers of 8 GiB each for a batch of 8: no machine has that.
    let text = "
model Huge() {
  input ct: [1, H, W]
  x[0] = conv(ct, 1000, k = 1)
  repeat i in 1 to 100 { x[i] = relu(conv(x[i - 1], 1000, k = 1)) }
  head = conv(x[100], 1, k = 1)
  output head
}
data d = phantom { size = [512, 512], train = 0..1, test = 1..2, slices = 16, pixels = 32 }
train { model = Huge(), data = d, loss = bce, optim = adam(lr = 1e-2), batch = 8, epochs = 1 }
";
    fs::write(folder.path().join("huge.hqc"), text).expect("the folder can be written");
    let result = hqcc(folder.path(), ["run", "huge.hqc", "--device", "cpu"]);
    expect("memory", &result, &["bytes", "batch"]);
    assert!(
        !folder.path().join("runs").exists(),
        "a run that never began left a folder"
    );
}

#[test]
fn a_number_of_threads_that_makes_no_sense() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in ["100000", "0", "many"] {
        let result = ended(
            command(folder.path())
                .arg("devices")
                .env("RAYON_NUM_THREADS", number),
        );
        expect(
            "threads",
            &result,
            &["RAYON_NUM_THREADS", number, "from 1 to"],
        );
    }
}

/// Stacks of a gigabyte use up the address space after a few threads. The shell sets the limit before it becomes `hqcc`.
#[cfg(target_os = "linux")]
#[test]
fn fewer_threads_where_the_system_grants_no_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let binary = command(folder.path()).get_program().to_owned();
    let run = |gigabytes: usize, args: &[&str]| {
        let script = format!("ulimit -v {} && exec \"$@\"", gigabytes << 20);
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(folder.path()).args(["-c", &script, "sh"]);
        shell.arg(&binary).args(args);
        shell.env("RUST_MIN_STACK", (1usize << 30).to_string());
        let result = ended(shell.env("RAYON_NUM_THREADS", "32"));
        assert_eq!(result.code, Some(0), "{}", result.err);
        result.err
    };
    // Room for no thread at all: the one that there is does the work.
    let alone = run(
        1,
        &[
            "phantom", "alone", "--cases", "1", "--slices", "4", "--pixels", "32",
        ],
    );
    assert!(alone.contains("note: 1 of 32 threads"), "{alone}");
    // Room for some, of which half are left to the loader of the data.
    let train = ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"];
    let some = run(13, &train);
    assert!(
        some.contains("of 32 threads") && !some.contains("note: 1 of"),
        "{some}"
    );
}

#[test]
fn no_adapter_for_device_gpu() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let result = ended(
        command(folder.path())
            .args(["run", "tiny.hqc", "--device", "gpu"])
            .env("VK_ICD_FILENAMES", "nowhere.json")
            .env("VK_DRIVER_FILES", "nowhere.json"),
    );
    if cfg!(target_os = "linux") {
        expect("no adapter", &result, &["gpu", "--device cpu"]);
    }
}

#[test]
fn files_and_folders_that_are_not_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    expect(
        "no source",
        &hqcc(path, ["run", "missing.hqc"]),
        &["missing.hqc", "no such file"],
    );
    expect(
        "no run",
        &hqcc(path, ["resume", "runs/none-1"]),
        &["runs/none-1", "not the folder of a run"],
    );
    expect(
        "no run",
        &hqcc(path, ["eval", "."]),
        &["not the folder of a run"],
    );
    fs::write(path.join("there.hqc"), "").expect("the folder can be written");
    expect(
        "taken",
        &hqcc(path, ["new", "there.hqc"]),
        &["there.hqc", "exists already"],
    );
}

#[test]
fn a_damaged_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let done = hqcc(
        folder.path(),
        ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"],
    );
    assert_eq!(done.code, Some(0), "{}", done.err);
    let last = folder.path().join("runs/tiny-1/last.safetensors");
    let bytes = fs::read(&last).expect("the run leaves it");
    fs::write(&last, &bytes[..bytes.len() - 5]).expect("the file can be written");
    let result = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
    expect("damaged", &result, &["last.safetensors", "damaged"]);
}
