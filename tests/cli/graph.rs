//! The graphs of the models of the repository are pictures that Graphviz can draw.

use std::path::Path;
use std::process::Command;

use crate::hqcc;

/// Where `dot` is not installed the case says so.
#[test]
fn graphviz_draws_every_stage() {
    if Command::new("dot").arg("-V").output().is_err() {
        hqcc_tests::skip("Graphviz is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let cases: [(&str, &[&str]); 7] = [
        ("quickstart", &["--after", "source"]),
        ("quickstart", &["--after", "qpg"]),
        ("quickstart", &["--after", "autodiff"]),
        ("quickstart", &["--after", "fuse", "--depth", "2"]),
        ("quickstart", &["--diff", "qpg"]),
        ("unet", &["--depth", "1"]),
        ("qunet", &["--after", "qpg"]),
    ];
    for (model, options) in cases {
        let file = models.join(format!("{model}.hqc"));
        let dot = folder.path().join("graph.dot");
        let mut args = vec!["graph".to_owned(), file.display().to_string()];
        args.extend(options.iter().map(|&option| option.to_owned()));
        args.extend(["-o".to_owned(), dot.display().to_string()]);
        let result = hqcc(folder.path(), args);
        assert_eq!(result.code, Some(0), "{model} {options:?}: {}", result.err);
        let drawn = Command::new("dot").arg("-Tsvg").arg(&dot).output();
        let drawn = drawn.expect("dot starts");
        let complaint = String::from_utf8_lossy(&drawn.stderr);
        assert!(drawn.status.success(), "{model} {options:?}: {complaint}");
        assert!(
            !complaint.contains("Error"),
            "{model} {options:?}: {complaint}"
        );
        assert!(!drawn.stdout.is_empty());
    }
}
