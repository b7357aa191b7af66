//! Devices, pipes, sockets and folders where files are read: refused at once, and by name.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Ended, command, experiments, hqcc};

/// Runs the binary for at most 20 seconds: a read of a pipe or of a device would never end.
fn in_time(folder: &Path, args: &[&str]) -> Ended {
    let mut child = command(folder)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("it is there").is_none() {
        if Instant::now() > end {
            child.kill().expect("it can be killed");
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it ended");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    experiments::phantom(path);
    let run = hqcc(
        path,
        ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"],
    );
    assert_eq!(run.code, Some(0), "{}", run.err);
    for pipe in ["p.hqc", "p.nii", "p.safetensors"] {
        let made = std::process::Command::new("mkfifo")
            .arg(path.join(pipe))
            .status();
        assert!(made.expect("there is `mkfifo`").success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(path.join("s.nii")).expect("a socket");
    fs::create_dir(path.join("folder.hqc")).expect("the folder can be written");
    fs::write(path.join("zero.hqc"), "import \"/dev/zero\" as z\n").expect("a file");
    let predict = |volume: &'static str| {
        [
            "predict",
            "runs/tiny-1",
            volume,
            "-o",
            "m.nii",
            "--device",
            "cpu",
        ]
    };
    for (args, said) in [
        (&["check", "p.hqc"][..], "a named pipe"),
        (&["check", "/dev/zero"], "a device"),
        (&["check", "zero.hqc"], "a device"),
        (&["check", "folder.hqc"], "a folder"),
        (&predict("p.nii"), "a named pipe"),
        (&predict("/dev/zero"), "a device"),
        (&predict("s.nii"), "a socket"),
        (
            &["import-weights", "p.safetensors", "--into", "tiny.hqc"],
            "a named pipe",
        ),
        (
            &["import-weights", "/dev/zero", "--into", "tiny.hqc"],
            "a device",
        ),
    ] {
        let ended = in_time(path, args);
        assert_eq!(ended.code, Some(1), "{args:?}: {}", ended.out);
        assert!(ended.err.contains(said), "{args:?}: {}", ended.err);
    }
    // A checkpoint, the metrics and `run.json` of a run.
    for name in ["last.safetensors", "metrics.jsonl", "run.json"] {
        let (file, kept) = (path.join("runs/tiny-1").join(name), path.join("kept"));
        fs::rename(&file, &kept).expect("the run left it");
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(made.expect("there is `mkfifo`").success());
        let ended = in_time(path, &["resume", "runs/tiny-1"]);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.out);
        assert!(ended.err.contains(name), "{name}: {}", ended.err);
        fs::remove_file(&file).expect("the pipe is there");
        fs::rename(&kept, &file).expect("the folder can be written");
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let args = ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"];
    assert_eq!(hqcc(folder.path(), args).code, Some(0));
    for format in ["human", "json"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let ended = command(folder.path())
            .args([
                "eval",
                "runs/tiny-1",
                "--device",
                "cpu",
                "--message-format",
                format,
            ])
            .stdout(full.expect("Linux has it"))
            .output()
            .expect("the binary starts");
        let err = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{err}");
        assert!(err.contains("standard output"), "{err}");
    }
}
