//! `hqcc circuit`.

use std::path::Path;

use crate::hqcc;

const MODEL: &str = r#"
circuit chain { ry(all) repeat blocks { rx(all) cz(chain) } }
model M() {
  input ct: [1, H, W]
  a = relu(conv(ct, 6, k = 3))
  @qpg(blocks = 2, circuit = chain, post = rce)
  head = conv(a, 1, k = 3)
  output head
}
"#;

fn shown(folder: &Path, args: &[&str]) -> String {
    let ended = hqcc(folder, ["circuit", "m.hqc"].iter().chain(args));
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
    ended.out
}

#[test]
fn a_layers_circuit_is_drawn_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.hqc"), MODEL).expect("the model");
    let text = shown(folder.path(), &["head", "--index", "5"]);
    for part in [
        "9 circuits of 3 qubits, 2 blocks, 9 angles each: 81 for 54 generated weights",
        "circuit 5 gives the entries of output channel 0, kernel row 1 of 3, column 2 of 3",
        "amplitudes 6 to 7 are not used",
        "qubit 0 is the most significant bit",
        "rce: ",
        "block 2",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let svg = shown(folder.path(), &["head", "--format", "svg"]);
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    let file = folder.path().join("head.qasm");
    let written = ["head.weight", "--format", "qasm", "-o", "head.qasm"];
    assert_eq!(shown(folder.path(), &written), "");
    let qasm = std::fs::read_to_string(file).expect("the program");
    assert!(
        qasm.contains("qubit[3] q;") && qasm.contains("cz q[1], q[2];"),
        "{qasm}"
    );
    assert_ne!(
        qasm,
        shown(
            folder.path(),
            &["head", "--format", "qasm", "--angles", "7"]
        )
    );
}

/// What is said of the readout is the post-processing's own line.
#[test]
fn every_post_processing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for post in hqcc_compiler::passes::rewrite::POSTS {
        let text = MODEL.replace("rce", post.name);
        std::fs::write(folder.path().join("m.hqc"), text).expect("the model");
        let text = shown(folder.path(), &["head"]);
        let line = format!("{}: {}; ", post.name, post.doc);
        assert!(text.contains(&line), "no `{line}` in\n{text}");
    }
}

#[test]
fn what_cannot_be_shown_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.hqc"), MODEL).expect("the model");
    for (args, part) in [
        (&["haed"][..], "did you mean `head`?"),
        (&["a"], "does not come from circuits"),
        (&["head", "--index", "9"], "--index goes from 0 to 8"),
        (&["head", "--angles", "runs/none-1"], "runs/none-1"),
    ] {
        let ended = hqcc(folder.path(), ["circuit", "m.hqc"].iter().chain(args));
        assert_eq!(ended.code, Some(1), "{args:?}: {}", ended.out);
        assert!(ended.err.contains(part), "{args:?}: {}", ended.err);
    }
}
