//! Weights from elsewhere: `import-weights`, and `start` of a run.

use std::fs;
use std::path::{Path, PathBuf};

use hqcc::weights::load;
use serde_json::Value;

use super::hqcc;

const MODEL: &str = "\
model Small(width = 2) {
  input ct: [1, H, W]
  conv1 = conv(ct, width, k = 3)
  bn    = batch_norm(conv1)
  @qpg(blocks = 1, post = lpp)
  head  = conv(relu(bn), 1, k = 3)
  output head
}

rewrite Fixed { freeze conv1 }

names Torch { conv => conv1 }
";

/// A file that PyTorch wrote: `conv` of three input channels, a mean for `bn`, and more that this network does not want.
fn state() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/weights/state.pth")
}

fn folder(train: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy(state(), folder.path().join("state.pth")).expect("a fixture");
    let text = format!(
        "{MODEL}
data d = phantom {{ size = [24, 24], train = 0..1, test = 1..2, slices = 6, pixels = 48 }}
train {{ model = Small(), data = d, rewrite = Fixed, batch = 4, epochs = 1, {train} }}
"
    );
    fs::write(folder.path().join("small.hqc"), text).expect("a file");
    folder
}

/// The convolution of the fixture with its input channels summed.
fn summed() -> Vec<f32> {
    let text = fs::read_to_string(state().with_file_name("expected.json")).expect("a fixture");
    let all: Value = serde_json::from_str(&text).expect("values");
    let values = all["torch"]["conv.weight"]["values"]
        .as_array()
        .expect("values");
    let values: Vec<f32> = values
        .iter()
        .filter_map(Value::as_f64)
        .map(|v| v as f32)
        .collect();
    let at = |output: usize, channel: usize, tap: usize| values[(output * 3 + channel) * 9 + tap];
    let sums = (0..18).map(|i| (0..3).map(|c| at(i / 9, c, i % 9)).sum());
    sums.collect()
}

fn import(folder: &Path, more: &[&str]) -> super::Ended {
    let args = ["import-weights", "state.pth", "--into", "small.hqc"];
    hqcc(folder, args.iter().chain(more))
}

#[test]
fn an_import_shows_what_fits_and_writes_it() {
    let folder = folder("seed = 1");
    let ended = import(folder.path(), &["--map", "Torch"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("`bn.bias`") && ended.err.contains("missing = keep"),
        "{}",
        ended.err
    );
    assert!(
        !ended.err.contains("head.weight"),
        "a circuit makes it: {}",
        ended.err
    );
    assert!(
        ended.out.contains("sum of 3 input channels"),
        "{}",
        ended.out
    );

    let kept = [
        "--map",
        "Torch",
        "--missing",
        "keep",
        "-o",
        "out.safetensors",
    ];
    let ended = import(
        folder.path(),
        &[&kept[..], &["--message-format", "json"]].concat(),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(report["reason"], "import");
    let counts = &report["counts"];
    assert_eq!(
        (&counts["matched"], &counts["reshaped"]),
        (&2.into(), &1.into()),
        "{counts}"
    );
    assert_eq!(
        (&counts["missing"], &counts["dropped"]),
        (&4.into(), &1.into()),
        "{counts}"
    );
    let (weights, _) = load(&folder.path().join("out.safetensors")).expect("a file of weights");
    assert_eq!(
        weights.keys().collect::<Vec<_>>(),
        ["bn.running_mean", "conv1.bias", "conv1.weight"]
    );
    assert_eq!(weights["conv1.weight"].data(), summed());

    let ended = import(folder.path(), &[&kept[..], &["--strict"]].concat());
    assert!(
        ended.code == Some(1) && ended.err.contains("does not want"),
        "{}",
        ended.err
    );
}

#[test]
fn rules_come_from_any_file() {
    let folder = folder("seed = 1");
    let more = ["--missing", "keep", "--map"];
    fs::write(folder.path().join("rules.hqc"), "names A { conv => conv1 }").expect("a file");
    for map in ["rules.hqc", "rules.hqc:A"] {
        let ended = import(folder.path(), &[&more[..], &[map]].concat());
        assert!(
            ended.code == Some(0) && ended.out.contains("2  matched"),
            "{}{}",
            ended.out,
            ended.err
        );
    }
    for (map, said) in [
        ("Pytorch", "`Torch`"),
        ("rules.hqc:B", "it has `A`"),
        ("absent.hqc", "cannot read `absent.hqc`"),
        ("std/pretrained.hqc", "`VGG`"),
    ] {
        let ended = import(folder.path(), &[&more[..], &[map]].concat());
        assert!(
            ended.code == Some(1) && ended.err.contains(said),
            "{map}: {}",
            ended.err
        );
    }
    let ended = import(folder.path(), &["--map", "Torch", "-s", "model.width=3"]);
    assert!(
        ended
            .err
            .contains("`conv.weight` is [2, 3, 3, 3] in the file"),
        "{}",
        ended.err
    );
    assert!(
        ended
            .err
            .contains("`conv1.weight` is [3, 1, 3, 3] in the network"),
        "{}",
        ended.err
    );
    let ended = import(folder.path(), &["--prefix", "decoder"]);
    assert!(
        ended.err.contains("no parameters below `decoder`"),
        "{}",
        ended.err
    );
}

#[test]
fn a_run_starts_from_a_file_and_goes_on_without_it() {
    let folder = folder("start = weights(\"state.pth\", names = Torch, missing = keep)");
    let ended = hqcc(folder.path(), ["run", "small.hqc", "--device", "cpu"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let line = ended.out.lines().find(|line| line.starts_with("start: "));
    let line = line.expect("a line about the start");
    assert!(
        line.contains("3 tensors of") && line.contains("4 missing (bn, head)"),
        "{line}"
    );
    let run = folder.path().join("runs/small-1");
    let (last, _) = load(&run.join("last.safetensors")).expect("a checkpoint");
    // `conv1` is frozen, so it still is what the file held.
    assert_eq!(last["conv1.weight"].data(), summed());
    let record: Value =
        serde_json::from_str(&fs::read_to_string(run.join("start.json")).expect("a record"))
            .expect("JSON");
    let bytes = fs::read(state()).expect("a fixture");
    assert_eq!(record[0]["blake3"], blake3_of(&bytes));
    fs::remove_file(folder.path().join("state.pth")).expect("it was there");
    let ended = hqcc(folder.path(), ["resume", "runs/small-1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    let ended = hqcc(folder.path(), ["run", "small.hqc", "--device", "cpu"]);
    assert!(
        ended.code == Some(1) && ended.err.contains("state.pth"),
        "{}",
        ended.err
    );
    assert!(!folder.path().join("runs/small-2").exists());
}

#[test]
fn an_import_overwrites_nothing_that_it_reads() {
    let folder = folder("seed = 1");
    fs::write(folder.path().join("rules.hqc"), "names A { conv => conv1 }").expect("a file");
    let text = fs::read_to_string(folder.path().join("small.hqc")).expect("a file");
    fs::write(folder.path().join("other.hqc"), "let unused = 1").expect("a file");
    let text = format!("import \"other.hqc\" as other\n{text}");
    fs::write(folder.path().join("small.hqc"), text).expect("a file");
    for name in [
        "small.hqc",
        "other.hqc",
        "state.pth",
        "rules.hqc",
        "./rules.hqc",
    ] {
        let before = fs::read(folder.path().join(name)).expect("a file");
        let more = ["--missing", "keep", "--map", "rules.hqc:A", "-o", name];
        let ended = import(folder.path(), &more);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.out);
        assert!(
            ended.err.contains("would take the place of"),
            "{}",
            ended.err
        );
        assert_eq!(fs::read(folder.path().join(name)).expect("a file"), before);
    }
}

/// A file of one tensor `conv1.bias` of two values.
fn bias(element: &str, values: &[u8]) -> Vec<u8> {
    let header = format!(
        "{{\"conv1.bias\":{{\"dtype\":\"{element}\",\"shape\":[2],\"data_offsets\":[0,{}]}}}}",
        values.len()
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

#[test]
fn values_that_are_not_finite_start_no_network() {
    let folder = folder("start = weights(\"bad.safetensors\", missing = keep)");
    let single = |v: f32| [1f32, v].map(f32::to_le_bytes).concat();
    for (file, said) in [
        (bias("F32", &single(f32::NAN)), "`conv1.bias` holds NaN"),
        (
            bias("F32", &single(f32::INFINITY)),
            "`conv1.bias` holds inf",
        ),
        (
            bias("F64", &[1f64, 1e300].map(f64::to_le_bytes).concat()),
            "beyond the range of f32",
        ),
        (bias("F16", &[0, 0x3c, 0, 0x7c]), "`conv1.bias` holds inf"),
    ] {
        fs::write(folder.path().join("bad.safetensors"), file).expect("a file");
        let args = ["import-weights", "bad.safetensors", "--into", "small.hqc"];
        let more = ["--missing", "keep", "-o", "out.safetensors"];
        for ended in [
            hqcc(folder.path(), args.iter().chain(&more)),
            hqcc(folder.path(), ["run", "small.hqc", "--device", "cpu"]),
        ] {
            assert_eq!(ended.code, Some(1), "{}", ended.out);
            let named = ended.err.contains(said) && ended.err.contains("bad.safetensors");
            assert!(named, "{said}: {}", ended.err);
        }
        assert!(!folder.path().join("out.safetensors").exists());
        assert!(!folder.path().join("runs").exists());
    }
}

#[test]
fn a_damaged_checkpoint_starts_no_network() {
    let folder = folder("seed = 1");
    let ended = hqcc(folder.path(), ["run", "small.hqc", "--device", "cpu"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let path = folder.path().join("runs/small-1/last.safetensors");
    let mut bytes = fs::read(&path).expect("a checkpoint");
    *bytes.last_mut().expect("values") ^= 1;
    fs::write(&path, bytes).expect("the file can be written");
    let last = "runs/small-1/last.safetensors";
    let ended = hqcc(
        folder.path(),
        ["import-weights", last, "--into", "small.hqc"],
    );
    assert!(
        ended.code == Some(1) && ended.err.contains("the hash differs"),
        "{}",
        ended.err
    );
}

#[test]
fn names_of_tensors_reach_the_terminal_as_text() {
    let folder = folder("seed = 1");
    let values = [1f32, 2.0].map(f32::to_le_bytes).concat();
    let file = String::from_utf8_lossy(&bias("F32", &values)[8..]).into_owned();
    // The escape character, as JSON spells it, in the name of a second tensor.
    let header = file.split('}').next().expect("a header").to_owned()
        + "},\"\\u001b[31mred\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}";
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(&values);
    fs::write(folder.path().join("red.safetensors"), bytes).expect("a file");
    let args = [
        "red.safetensors",
        "--into",
        "small.hqc",
        "--missing",
        "keep",
    ];
    let ended = hqcc(folder.path(), ["import-weights"].iter().chain(&args));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("\\u{1b}[31mred"), "{}", ended.out);
    assert!(!ended.out.contains('\u{1b}'), "{:?}", ended.out);
    let ended = hqcc(folder.path(), ["resume", "\u{1b}[31m"]);
    assert!(ended.err.contains("\\u{1b}[31m"), "{}", ended.err);
    assert!(!ended.err.contains('\u{1b}'), "{:?}", ended.err);
}

fn blake3_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
