//! Help texts and usage errors.

use super::hqcc;

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let top = hqcc(folder.path(), ["--help"]);
    assert_eq!(top.code, Some(0), "{}", top.err);
    let commands: Vec<&str> = top
        .out
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on in the next line stands further in.
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(
        commands.len() > 12 && commands.contains(&"run"),
        "{}",
        top.out
    );
    for name in commands {
        let help = hqcc(folder.path(), [name, "--help"]);
        assert_eq!(help.code, Some(0), "{name}: {}", help.err);
        assert!(
            help.out.contains("Example"),
            "`{name} --help` shows no example:\n{}",
            help.out
        );
    }
}

#[test]
fn wrong_usage_ends_with_code_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for args in [
        &["fly"][..],
        &["completions", "basic"],
        &["completions", "bash", "--what"],
    ] {
        let ended = hqcc(folder.path(), args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.err.contains("error:"), "{args:?}: {}", ended.err);
    }
}

#[test]
fn completions_are_for_the_shell_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = hqcc(folder.path(), ["completions", "bash"]);
    assert!(
        ended.code == Some(0) && ended.out.contains("complete -F"),
        "{}",
        ended.out
    );
}

/// Layers and gates in the README are those of the tables.
#[test]
fn the_readme_names_every_layer_and_gate() {
    let readme = include_str!("../../README.md");
    let layers = hqcc_compiler::ops::LAYERS.iter().map(|layer| layer.name);
    let gates = hqcc_compiler::quantum::gates::GATES
        .iter()
        .map(|gate| gate.name);
    for name in layers.chain(gates) {
        assert!(
            readme.contains(&format!("`{name}`")),
            "README.md does not name `{name}`"
        );
    }
}
