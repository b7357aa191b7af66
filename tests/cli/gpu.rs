//! The quickstart on a GPU: its losses follow those of the CPU.

use std::path::Path;

use serde_json::Value;

use super::hqcc;

const STEPS: usize = 20;
/// Largest relative difference of a step's loss between the executors.
const CLOSE: f64 = 1e-3;

/// Whether there is an adapter. Without one the case is skipped, unless `HQCC_REQUIRE_GPU=1`.
fn adapter(folder: &Path) -> bool {
    let listed = hqcc(folder, ["devices", "--message-format", "json"]);
    let value: Value = serde_json::from_str(&listed.out).expect("devices are listed as JSON");
    let found = value["adapters"]
        .as_array()
        .is_some_and(|adapters| !adapters.is_empty());
    let required = std::env::var("HQCC_REQUIRE_GPU").is_ok_and(|v| v == "1");
    assert!(
        found || !required,
        "HQCC_REQUIRE_GPU=1, and there is no adapter"
    );
    if !found {
        hqcc_tests::skip("this machine has no adapter");
    }
    found
}

fn losses(folder: &Path, device: &str) -> Vec<f64> {
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/quickstart.hqc");
    let quickstart = quickstart.to_str().expect("the path is text");
    let mut args = vec![
        "run",
        quickstart,
        "--device",
        device,
        "--name",
        device,
        "--message-format",
        "json",
    ];
    for setting in [
        "data.size=[32, 32]",
        "data.train=0..3",
        "data.test=4..5",
        "train.epochs=3",
    ] {
        args.extend(["-s", setting]);
    }
    let ended = hqcc(folder, args);
    assert_eq!(ended.code, Some(0), "{device}: {}", ended.err);
    let lines = ended
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines
        .filter(|line| line["reason"] == "step")
        .filter_map(|line| line["loss"].as_f64())
        .take(STEPS)
        .collect()
}

#[test]
fn the_quickstart_trains_on_a_gpu_as_on_the_cpu() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if !adapter(folder.path()) {
        return;
    }
    let (cpu, gpu) = (losses(folder.path(), "cpu"), losses(folder.path(), "gpu"));
    assert_eq!((cpu.len(), gpu.len()), (STEPS, STEPS));
    for (step, (cpu, gpu)) in cpu.iter().zip(&gpu).enumerate() {
        let apart = (cpu - gpu).abs() / cpu.abs();
        assert!(
            apart < CLOSE,
            "step {}: {cpu} on the CPU, {gpu} on the GPU",
            step + 1
        );
    }
}
