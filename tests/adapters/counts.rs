//! The counts of the paper: Table 3, and the angles of every convolution that a network of the study generates.

use hqcc_compiler::elaborate::Size;
use hqcc_compiler::summary::{LayerRow, summarise};

use crate::machine::File;

/// The row that `hqcc check --message-format json` prints of a convolution under a rule.
fn row(from: usize, to: usize, k: usize, rule: &str) -> LayerRow {
    let text = format!(
        "model M() {{\n  input ct: [{from}, H, W]\n  {rule}\n  conv = conv(ct, {to}, k = {k})\n  output conv\n}}"
    );
    let size = Size {
        batch: 1,
        channels: from,
        height: 4,
        width: 4,
    };
    let summary = summarise(&File::sized(&text, size).network(true, true).graph);
    let row = summary.layers.into_iter().find(|row| row.path == "conv");
    row.expect("the convolution")
}

#[test]
fn table_3() {
    // The head of UNet++: 576 weights against 108 angles; its bias is in neither.
    let classical = row(64, 1, 3, "");
    assert_eq!(classical.trained, 576 + 1);
    let head = row(64, 1, 3, "@qpg()");
    let generation = head.generation.as_ref().expect("circuits");
    assert_eq!(
        (generation.angles, head.generated, head.trained),
        (108, 576, 108 + 1)
    );
    // The second convolution of VGG.
    for (rank, parameters) in [(8, 9_216), (16, 18_432), (6, 6_912)] {
        let row = row(64, 64, 3, &format!("@conv_lora(rank = {rank})"));
        assert_eq!((row.adapter, row.frozen), (parameters, 36_864));
        assert_eq!(row.trained, parameters + 64, "the bias stays trained");
        assert_eq!(row.generation, None);
    }
    for rule in ["@qpga()", "@qpga(start = zero)"] {
        let row = row(64, 64, 3, rule);
        let generation = row.generation.as_ref().expect("circuits");
        assert_eq!((generation.angles, generation.circuits), (6_912, 576));
        assert_eq!(
            (row.generated, row.trained, row.adapter),
            (36_864, 6_912 + 64, 0)
        );
        let kept = if rule.contains("zero") { 6_912 } else { 0 };
        assert_eq!(row.frozen, 36_864 + kept);
    }
}

/// In, out, kernel; weights, circuits, qubits, angles of one block.
const CONVOLUTIONS: &[([usize; 3], [usize; 4])] = &[
    // The last convolution of each network.
    ([64, 1, 1], [64, 1, 6, 12]),
    ([64, 1, 3], [576, 9, 6, 108]),
    ([16, 1, 3], [144, 9, 4, 72]),
    ([32, 1, 1], [32, 1, 5, 10]),
    ([16, 1, 1], [16, 1, 4, 8]),
    ([8, 1, 1], [8, 1, 3, 6]),
    ([16, 2, 3], [288, 18, 4, 144]),
    ([16, 9, 3], [1_296, 81, 4, 648]),
    // The convolutions of UNeXt.
    ([3, 16, 3], [432, 27, 4, 216]),
    ([16, 32, 3], [4_608, 144, 5, 1_440]),
    ([32, 128, 3], [36_864, 288, 7, 4_032]),
    ([128, 160, 3], [184_320, 1_152, 8, 18_432]),
    ([160, 256, 3], [368_640, 1_440, 8, 23_040]),
    ([256, 160, 3], [368_640, 1_440, 8, 23_040]),
    ([160, 128, 3], [184_320, 1_152, 8, 18_432]),
    ([128, 32, 3], [36_864, 288, 7, 4_032]),
    ([32, 16, 3], [4_608, 144, 5, 1_440]),
    ([16, 16, 3], [2_304, 144, 4, 1_152]),
    // The examples of the paper's text.
    ([512, 32, 2], [65_536, 128, 9, 2_304]),
    ([64, 256, 3], [147_456, 576, 8, 9_216]),
];

#[test]
fn angles_follow_the_rule_of_the_paper() {
    for &([from, to, k], [weights, circuits, qubits, angles]) in CONVOLUTIONS {
        for blocks in [1, 2] {
            let row = row(from, to, k, &format!("@qpg(blocks = {blocks})"));
            let found = row.generation.as_ref().expect("circuits");
            assert_eq!(
                [found.weights, found.circuits, found.qubits, found.angles],
                [weights, circuits, qubits, angles * blocks],
                "{from} -> {to}, {k} x {k}, {blocks} blocks"
            );
        }
    }
    let unext: usize = CONVOLUTIONS[8..18]
        .iter()
        .map(|(_, counts)| counts[3])
        .sum();
    assert_eq!(unext + 8, 95_264);
}

#[test]
fn post_processings_are_counted_apart_from_angles() {
    for (post, parameters) in [
        ("rce", 0),
        ("sst", 0),
        ("sst, scale = learned", 1),
        ("lpp", 8),
        ("lpp, share = none", 9 * 8),
        ("affine", 2),
    ] {
        let row = row(64, 1, 3, &format!("@qpg(post = {post})"));
        let generation = row.generation.as_ref().expect("circuits");
        assert_eq!(
            (generation.angles, generation.post),
            (108, parameters),
            "{post}"
        );
    }
}

#[test]
fn rows_stand_as_in_the_source_whatever_rules_add() {
    let size = Size {
        batch: 1,
        channels: 4,
        height: 4,
        width: 4,
    };
    for rule in ["", "@conv_lora(rank = 2)", "@qpga(start = zero)"] {
        let text = format!(
            "model M() {{\n  input ct: [4, H, W]\n  {rule}\n  a = conv(ct, 4, k = 3)\n  b = relu(a)\n  \
             c = conv(b, 1, k = 1)\n  output c\n}}"
        );
        let summary = summarise(&File::sized(&text, size).network(true, true).graph);
        let paths: Vec<_> = summary.layers.iter().map(|row| &*row.path).collect();
        assert_eq!(paths, ["a", "b", "c"], "{rule}");
    }
}
