//! Folders of runs that were damaged, that lost files, or that another process trains.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use super::{Ended, command, experiments, hqcc};

/// A finished run of two epochs, and a volume.
fn finished() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let args = ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=2"];
    let done = hqcc(folder.path(), args);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let args = [
        "phantom", "volumes", "--cases", "1", "--slices", "2", "--pixels", "32",
    ];
    assert_eq!(hqcc(folder.path(), args).code, Some(0));
    folder
}

fn run_of(folder: &Path) -> std::path::PathBuf {
    folder.join("runs/tiny-1")
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_name() != ".lock")
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect()
}

/// The four commands that read a checkpoint.
fn readers(folder: &Path) -> Vec<(&'static str, Ended)> {
    let volume = "volumes/case_00000/imaging.nii.gz";
    let run = "runs/tiny-1";
    [
        &["predict", run, volume, "-o", "m.nii.gz", "--device", "cpu"][..],
        &["eval", run, "--device", "cpu"],
        &["export", run, "-o", "exported"],
        &["resume", run],
    ]
    .into_iter()
    .map(|args| (args[0], hqcc(folder, args)))
    .collect()
}

#[test]
fn one_flipped_bit_of_a_checkpoint_stops_all_that_read_it() {
    for name in ["best.safetensors", "last.safetensors"] {
        let folder = finished();
        let path = run_of(folder.path()).join(name);
        let mut bytes = fs::read(&path).expect("a checkpoint");
        // The lowest bit of a value in the middle.
        let at = bytes.len() - 4 * 20;
        bytes[at] ^= 1;
        fs::write(&path, bytes).expect("the file can be written");
        let before = contents(&run_of(folder.path()));
        for (what, ended) in readers(folder.path()) {
            let reads = name.starts_with("best") || what == "resume";
            assert_eq!(ended.code, Some(i32::from(reads)), "{what}: {}", ended.err);
            assert!(!reads || ended.err.contains(name), "{what}: {}", ended.err);
            assert!(!reads || ended.err.contains("the hash differs"), "{what}");
        }
        if name.starts_with("best") {
            assert!(!folder.path().join("m.nii.gz").exists());
            assert!(!folder.path().join("exported").exists());
        }
        assert_eq!(
            contents(&run_of(folder.path())),
            before,
            "resume changed files"
        );
    }
}

#[test]
fn a_checkpoint_with_values_that_are_not_finite_is_refused_by_name() {
    let folder = finished();
    for name in ["best.safetensors", "last.safetensors"] {
        let path = run_of(folder.path()).join(name);
        let (mut state, record) = hqcc::weights::load(&path).expect("a checkpoint");
        let bias = state.get_mut("head.bias").expect("a head has a bias");
        bias.data_mut()[0] = f32::NAN;
        hqcc::weights::save(&path, &state, record).expect("the file can be written");
    }
    for (what, ended) in readers(folder.path()) {
        assert_eq!(ended.code, Some(1), "{what}");
        let said = ended.err.contains("`head.bias` holds NaN");
        assert!(
            said && ended.err.contains(".safetensors"),
            "{what}: {}",
            ended.err
        );
        assert!(
            !ended.err.contains("learning rate"),
            "{what}: {}",
            ended.err
        );
    }
}

#[test]
fn resume_never_starts_over_where_something_was_lost() {
    for gone in [
        &["last.safetensors"][..],
        &["best.safetensors"],
        &["metrics.jsonl"],
        &["last.safetensors", "metrics.jsonl"],
    ] {
        let folder = finished();
        let run = run_of(folder.path());
        for name in gone {
            fs::remove_file(run.join(name)).expect("the run left it");
        }
        let before = contents(&run);
        let ended = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
        assert_eq!(ended.code, Some(1), "{gone:?}: {}", ended.out);
        assert!(ended.err.contains(gone[0]), "{gone:?}: {}", ended.err);
        assert_eq!(contents(&run), before, "{gone:?}");
    }
}

#[cfg(unix)]
#[test]
fn resume_writes_through_no_link() {
    for name in ["metrics.jsonl", "timing.csv", "last.safetensors", ".lock"] {
        let folder = finished();
        let (path, target) = (
            run_of(folder.path()).join(name),
            folder.path().join("target"),
        );
        fs::rename(&path, &target).expect("the run left it");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        let before = fs::read(&target).expect("the target");
        let ended = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.out);
        assert!(
            ended.err.contains(name) && ended.err.contains("link"),
            "{}",
            ended.err
        );
        assert_eq!(fs::read(&target).expect("the target"), before, "{name}");
    }
}

/// Starts a run of many epochs; returns once it has done so many steps.
fn under_way(folder: &Path, steps: usize) -> (Child, impl Iterator<Item = String>) {
    let args = [
        "run",
        "tiny.hqc",
        "--device",
        "cpu",
        "--message-format",
        "json",
        "-s",
        "train.epochs=100000",
    ];
    let mut child = command(folder)
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let out = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let mut is_step = |line: String| line.contains("\"reason\":\"step\"");
    for _ in 0..steps {
        assert!(lines.any(&mut is_step), "it takes steps");
    }
    (child, lines)
}

#[test]
fn a_run_that_is_trained_is_locked_and_a_killed_one_is_free() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let (mut child, mut lines) = under_way(folder.path(), 5);
    let run = run_of(folder.path());
    for _ in 0..2 {
        let intruder = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
        assert_eq!(intruder.code, Some(1), "{}", intruder.out);
        let said = format!("is being trained by process {} (since ", child.id());
        assert!(intruder.err.contains(&said), "{}", intruder.err);
    }
    // The first process goes on undisturbed.
    assert!(lines.any(|line| line.contains("\"reason\":\"epoch\"")));
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let leftover = run.join(".last.safetensors.123.4.tmp");
    fs::write(&leftover, b"half").expect("the folder can be written");
    // Resumed to an end that is already behind it, so that it only shows its results.
    let text = fs::read_to_string(run.join("experiment.hqc")).expect("the run left it");
    let text = text.replace("100000", "1");
    fs::write(run.join("experiment.hqc"), text).expect("the file can be written");
    let resumed = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert!(!leftover.exists(), "what a kill left behind stays");
}

#[cfg(unix)]
#[test]
fn messages_name_the_file_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let binary = env!("CARGO_BIN_EXE_hqcc-tested");
    // Files of at most 2 blocks of 512 bytes: the checkpoint is larger.
    let script = format!("ulimit -f 2; exec {binary} run tiny.hqc --device cpu");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .output()
        .expect("there is a shell");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("runs/tiny-1/") && err.contains("File too large"),
        "{err}"
    );
}

/// The update is what diverges: its inputs are finite.
#[test]
fn a_learning_rate_that_diverges_is_blamed_on_the_update() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let set = ["-s", "train.optim=adam(lr = 3e38)"];
    let args = ["run", "tiny.hqc", "--device", "cpu"];
    let ended = hqcc(folder.path(), args.iter().chain(&set));
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    let said = [
        "it began with `",
        "in the update of step 1",
        "last good checkpoint",
    ];
    assert!(
        said.iter().all(|part| ended.err.contains(part)),
        "{}",
        ended.err
    );
}
