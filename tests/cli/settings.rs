//! Settings: their limits hold for every command, their reference comes from their tables.

use std::fs;

use super::{experiments, hqcc};

/// Every command that reads data settings refuses a bad one before it reads anything else, whether it is given with `-s` or
/// stands in the file.
#[test]
fn limits_of_the_data_hold_for_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    experiments::phantom(path);
    let trained = hqcc(path, ["run", "tiny.hqc", "--device", "cpu"]);
    assert_eq!(trained.code, Some(0), "{}", trained.err);
    let made = hqcc(
        path,
        [
            "phantom", "volumes", "--cases", "1", "--slices", "2", "--pixels", "16",
        ],
    );
    assert_eq!(made.code, Some(0), "{}", made.err);
    let commands: [&[&str]; 5] = [
        &["check", "tiny.hqc"],
        &["run", "tiny.hqc", "--device", "cpu"],
        &[
            "predict",
            "runs/tiny-1",
            "volumes/case_00000/imaging.nii.gz",
            "-o",
            "m.nii.gz",
        ],
        &["export", "runs/tiny-1"],
        &["eval", "runs/tiny-1", "--device", "cpu"],
    ];
    for setting in [
        "data.window=[300,-30]",
        "data.window=[0,0]",
        "data.median=4",
    ] {
        for command in commands {
            let ended = hqcc(path, [command, &["-s", setting]].concat());
            let case = format!("{command:?} -s {setting}: {}", ended.err);
            assert_eq!(ended.code, Some(1), "{case}");
            assert!(ended.err.contains("error[setting::range]"), "{case}");
            assert!(ended.err.contains(&format!("-s {setting}")), "{case}");
        }
    }
    let written = path.join("runs/tiny-1/experiment.hqc");
    let text = fs::read_to_string(&written).expect("the run has its experiment");
    assert!(text.contains("window = [-30, 300]"), "{text}");
    let text = text.replace("window = [-30, 300]", "window = [300, -30]");
    fs::write(&written, text).expect("the file can be written");
    for command in &commands[2..] {
        let ended = hqcc(path, *command);
        assert_eq!(ended.code, Some(1), "{command:?}: {}", ended.err);
        assert!(
            ended.err.contains("experiment.hqc:"),
            "{command:?}: {}",
            ended.err
        );
    }
    assert!(!path.join("m.nii.gz").exists() && !path.join("runs/tiny-2").exists());
}

#[test]
fn an_overlap_of_the_splits_is_said_by_check_and_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    for command in [
        &["check", "tiny.hqc"][..],
        &["run", "tiny.hqc", "--device", "cpu"],
    ] {
        let overlap = ["-s", "data.train=0..2", "-s", "data.test=1..3"];
        let ended = hqcc(folder.path(), [command, &overlap].concat());
        assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.err);
        for word in ["warning[data::overlap]", "1..2", "measures memory"] {
            assert!(ended.err.contains(word), "{command:?}: {}", ended.err);
        }
    }
}

#[test]
fn the_reference_is_printed_from_the_tables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = |args: &[&str]| {
        let ended = hqcc(folder.path(), args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
        ended.out
    };
    let all = said(&["ops", "settings"]);
    for group in hqcc_compiler::reference::groups() {
        assert!(all.contains(&group.title), "{}", group.title);
        for setting in group.settings {
            for text in [setting.name, setting.values.as_str(), setting.doc] {
                assert!(
                    all.contains(text),
                    "{} {}: {text}\n{all}",
                    group.name,
                    setting.name
                );
            }
        }
    }
    assert!(said(&["explain", "window"]).contains("Hounsfield"));
    assert!(said(&["explain", "conv"]).contains("number of output channels"));
    let text = said(&["explain", "error[setting::range]"]);
    assert!(
        text.contains("For example") && text.contains("Remedy"),
        "{text}"
    );
    let json = said(&["explain", "size", "--message-format", "json"]);
    let kinds: Vec<String> = json
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            value["explanation"]["kind"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(kinds, ["setting of data", "setting of predict"]);
    let unknown = hqcc(folder.path(), ["explain", "windw"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("did you mean `window`?"),
        "{}",
        unknown.err
    );
}

/// A path on the command line is taken as it is; in a file it stands in quotes.
#[test]
fn a_path_needs_no_quotes_on_the_command_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    experiments::phantom(folder.path());
    let source = folder.path().join("disk.hqc");
    let text = fs::read_to_string(folder.path().join("tiny.hqc")).expect("it was just written");
    let model = text
        .split("data ")
        .next()
        .expect("the file has a data section");
    let with =
        |root: &str| format!("{model}\ndata k = kits19 {{ {root} }}\ntrain {{ data = k }}\n");
    fs::write(&source, with("")).expect("the folder can be written");
    for path in ["volumes", "a/b", "../x-1.2", "12", "C:\\kits (new)", "a b"] {
        let setting = format!("data.root={path}");
        let ended = hqcc(
            folder.path(),
            ["check", "disk.hqc", "--resolved", "-s", &setting],
        );
        assert_eq!(ended.code, Some(0), "{path}: {}", ended.err);
        let wanted = format!("root = {:?}", path);
        assert!(ended.out.contains(&wanted), "{wanted}\n{}", ended.out);
    }
    fs::write(&source, with("root = volumes")).expect("the folder can be written");
    let ended = hqcc(folder.path(), ["check", "disk.hqc"]);
    assert_eq!(ended.code, Some(1), "a bare word in a file is a name");
    assert!(ended.err.contains("`volumes`"), "{}", ended.err);
}
