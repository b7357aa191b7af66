//! Runs that are cut off, and what they end with.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::{command, experiments, hqcc};

/// What an unbroken run and a resumed one must agree on to the byte.
const PRODUCTS: [&str; 4] = [
    "last.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "metrics.csv",
];

fn products(run: &Path) -> Vec<Vec<u8>> {
    PRODUCTS
        .map(|name| fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}")))
        .to_vec()
}

/// Starts a run and kills it, without warning, once it has printed `steps` steps.
fn killed(folder: &Path, steps: usize) {
    let mut child = command(folder)
        .args([
            "run",
            "tiny.hqc",
            "--device",
            "cpu",
            "--message-format",
            "json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let out = child.stdout.take().expect("it is piped");
    let lines = BufReader::new(out).lines().map_while(Result::ok);
    lines
        .filter(|line| line.contains("\"reason\":\"step\""))
        .take(steps)
        .for_each(drop);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

#[test]
fn a_killed_run_resumes_to_the_bits_of_an_unbroken_one() {
    let whole = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(whole.path());
    let done = hqcc(whole.path(), ["run", "tiny.hqc", "--device", "cpu"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("device: cpu"), "{}", done.out);
    assert!(
        done.out.trim_end().ends_with("run: runs/tiny-1"),
        "{}",
        done.out
    );
    let expected = products(&whole.path().join("runs/tiny-1"));

    for steps in [1, 4, 8] {
        let cut = tempfile::tempdir().expect("a temporary folder");
        experiments::phantom(cut.path());
        killed(cut.path(), steps);
        let resumed = hqcc(cut.path(), ["resume", "runs/tiny-1"]);
        assert_eq!(
            resumed.code,
            Some(0),
            "killed after {steps}: {}",
            resumed.err
        );
        let found = products(&cut.path().join("runs/tiny-1"));
        for (name, (found, expected)) in PRODUCTS.iter().zip(found.iter().zip(&expected)) {
            assert!(
                found == expected,
                "{name} differs after a kill at step {steps}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_after_the_batch_and_saves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let mut child = command(folder.path())
        .args([
            "run",
            "tiny.hqc",
            "--device",
            "cpu",
            "--message-format",
            "json",
            "-s",
            "train.epochs=1000",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"))
        .lines()
        .map_while(Result::ok);
    assert!(
        lines.any(|line| line.contains("\"reason\":\"step\"")),
        "it takes steps"
    );
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .expect("there is a `kill`");
    assert!(sent.success());
    let last = lines.last().expect("it says that it stopped");
    assert!(last.contains("\"reason\":\"interrupted\""), "{last}");
    // A script must be able to tell a stopped run from a finished one.
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(folder.path().join("runs/tiny-1/last.safetensors").is_file());
}

#[cfg(unix)]
#[test]
fn ctrl_c_while_data_are_read_ends_at_once_with_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let large = ["data.slices=400", "data.pixels=512"].map(|set| ["-s", set]);
    let mut child = command(folder.path())
        .args(["run", "tiny.hqc", "--device", "cpu"])
        .args(large.as_flattened())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.starts_with("device: "), "{first}");
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.expect("there is a `kill`").success());
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped before training began"), "{said}");
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn an_edited_experiment_is_refused_unless_it_only_goes_on_longer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let run = |args: &[&str]| {
        command(folder.path())
            .args(args)
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .expect("the binary starts")
    };
    let args = ["run", "tiny.hqc", "--device", "cpu", "-s", "train.epochs=1"];
    assert!(run(&args).status.success());
    let path = folder.path().join("runs/tiny-1/experiment.hqc");
    let text = fs::read_to_string(&path).expect("the run left it");
    let metrics = folder.path().join("runs/tiny-1/metrics.jsonl");
    let before = fs::read(&metrics).expect("the run left it");
    for (from, to, said) in [
        ("batch = 4", "batch = 2", "`train.batch` was 4 and is 2"),
        ("k = 3", "k = 1", "the network is another one"),
        ("seed = 7", "seed = 8", "`train.seed` was 7 and is 8"),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).expect("the file can be written");
        let ended = hqcc(folder.path(), ["resume", "runs/tiny-1"]);
        assert_eq!(ended.code, Some(1), "{from}: {}", ended.out);
        assert!(ended.err.contains(said), "{from}: {}", ended.err);
        assert_eq!(fs::read(&metrics).expect("it stays"), before);
    }
    fs::write(&path, text.replace("epochs = 1", "epochs = 2")).expect("the file can be written");
    let ended = command(folder.path())
        .args(["resume", "runs/tiny-1"])
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .expect("the binary starts");
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && out.contains("epoch 2/2"), "{out}");
    assert!(
        !out.contains("the last bits differ"),
        "threads decide no bit: {out}"
    );
}

#[test]
fn a_run_leaves_all_its_files_and_a_complete_one_only_shows_its_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let args = [
        "run",
        "tiny.hqc",
        "--device",
        "cpu",
        "-s",
        "train.epochs=1",
        "--name",
        "short",
    ];
    assert_eq!(hqcc(folder.path(), args).code, Some(0));
    let run = folder.path().join("runs/short-1");
    let more = [
        "experiment.hqc",
        "run.json",
        "timing.csv",
        "loss.svg",
        "dsc.svg",
        "iou.svg",
        "samples.png",
        "graph.dot",
    ];
    for name in PRODUCTS.iter().chain(&more) {
        let size = fs::metadata(run.join(name)).map(|m| m.len());
        assert!(size.is_ok_and(|size| size > 0), "{name}");
    }
    let before = products(&run);
    let again = hqcc(folder.path(), ["resume", "runs/short-1"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(
        again.out.contains("best") && again.out.contains("DSC"),
        "{}",
        again.out
    );
    assert!(products(&run) == before, "a complete run was changed");

    // The resolved experiment stands by itself, and gives the same run.
    let args = [
        "run",
        "runs/short-1/experiment.hqc",
        "--device",
        "cpu",
        "--name",
        "again",
    ];
    let repeated = hqcc(folder.path(), args);
    assert_eq!(repeated.code, Some(0), "{}", repeated.err);
    assert!(
        products(&folder.path().join("runs/again-1")) == before,
        "the resolved experiment gives another run"
    );

    let eval = hqcc(
        folder.path(),
        [
            "eval",
            "runs/short-1",
            "--checkpoint",
            "last",
            "--device",
            "cpu",
        ],
    );
    assert_eq!(eval.code, Some(0), "{}", eval.err);
    let metrics = fs::read_to_string(run.join("metrics.csv")).expect("the run leaves it");
    let dsc: f64 = metrics
        .lines()
        .last()
        .and_then(|l| l.split(',').nth(5))
        .and_then(|v| v.parse().ok())
        .expect("a row");
    assert!(
        eval.out.contains(&format!("DSC {dsc:.4}")),
        "{dsc} is not in {}",
        eval.out
    );
}
