//! Parameters of every variant, and angles of every hybrid one.

use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::{Init, Parameter};
use hqcc_compiler::summary::summarise;
use hqcc_tests::networks;

const VGG16: &str = "encoder = [2, 2, 3, 3, 3]";

/// File, model, channels and side of the input; all parameters of the original, and those of them that it never computes.
const VARIANTS: [(&str, &str, usize, usize, usize, usize); 26] = [
    ("unet.hqc", "UNet()", 1, 256, 31_036_481, 0),
    ("unet.hqc", "UNet()", 3, 256, 31_037_633, 0),
    ("unet.hqc", "UNet(bilinear = true)", 1, 256, 17_261_825, 0),
    ("unet.hqc", "UNet(bilinear = true)", 3, 256, 17_262_977, 0),
    ("unet.hqc", "UNet(classes = 2)", 1, 256, 31_036_546, 0),
    ("unetpp.hqc", "Nested()", 1, 256, 9_162_753, 0),
    ("unetpp.hqc", "Nested()", 3, 256, 9_163_329, 0),
    (
        "unetpp.hqc",
        "Nested(deep_supervision = true)",
        1,
        256,
        9_162_852,
        0,
    ),
    (
        "unetpp.hqc",
        "UNetPP(widths = [256, 128, 64, 32, 16])",
        3,
        256,
        39_347_345,
        4_720_640,
    ),
    (
        "unetpp.hqc",
        "UNetPP(norm = true, widths = [256, 128, 64, 32, 16])",
        3,
        256,
        39_355_793,
        4_720_640,
    ),
    ("unetpp.hqc", "UNetPP()", 3, 256, 69_400_193, 4_720_640),
    ("unetpp.hqc", "UNetPP()", 1, 256, 69_400_193, 4_720_640),
    (
        "unetpp.hqc",
        "UNetPP(norm = true)",
        3,
        256,
        69_408_641,
        4_720_640,
    ),
    (
        "unetpp.hqc",
        "UNetPP(widths = [512, 256, 128, 64, 64])",
        3,
        256,
        47_056_769,
        4_720_640,
    ),
    (
        "unetpp.hqc",
        "UNetPP(widths = [512, 256, 128, 64])",
        3,
        256,
        34_150_529,
        4_720_640,
    ),
    ("unext.hqc", "UNeXt()", 3, 256, 1_471_921, 0),
    ("unext.hqc", "UNeXt(classes = 2)", 3, 256, 1_471_938, 0),
    (
        "unext.hqc",
        "UNeXt(widths = [8, 16, 32, 64, 128])",
        1,
        256,
        253_561,
        0,
    ),
    ("msnet.hqc", "MSNet()", 1, 256, 29_741_329, 2_049_000),
    ("transunet.hqc", "TransUNet()", 1, 224, 105_275_921, 0),
    ("transunet.hqc", "TransUNet()", 1, 256, 105_322_001, 0),
    (
        "transunet.hqc",
        "TransUNet(layers = 4)",
        1,
        256,
        48_619_025,
        0,
    ),
    (
        "transunet.hqc",
        "TransUNet(layers = 3)",
        1,
        224,
        41_485_073,
        0,
    ),
    (
        "transunet.hqc",
        "TransUNet(layers = 3)",
        3,
        256,
        41_531_153,
        0,
    ),
    (
        "transunet.hqc",
        "TransUNet(layers = 2, classes = 9)",
        1,
        256,
        34_443_281 + 1_160,
        0,
    ),
    (
        "transunet.hqc",
        "TransUNet(hybrid = false)",
        1,
        256,
        91_719_121,
        0,
    ),
];

fn size(channels: usize, side: usize) -> Size {
    Size {
        batch: 1,
        channels,
        height: side,
        width: side,
    }
}

#[test]
fn every_variant_has_as_many_parameters_as_the_original() {
    for (file, model, channels, side, all, unused) in VARIANTS {
        let loss = if model.contains("classes") {
            "cross_entropy"
        } else {
            "bce"
        };
        let size = size(channels, side);
        let network = networks::model(file, model, loss, size);
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        let network = network.network(size, true);
        let found = summarise(&network.unwrap_or_else(|e| panic!("{model}: {e:?}")).graph);
        let found = (found.trained, found.unused);
        assert_eq!(found, (all - unused, unused), "{file}: {model}");
    }
}

#[test]
fn the_sixteenth_vgg_is_the_default() {
    let count = |model: &str| {
        let network = networks::model("unetpp.hqc", model, "bce", size(1, 64));
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        let network = network.source_network(size(1, 64), true);
        network.unwrap_or_else(|e| panic!("{e:?}")).graph.len()
    };
    assert_eq!(count("UNetPP()"), count(&format!("UNetPP({VGG16})")));
    assert!(count("UNetPP(encoder = [2, 2, 4, 4, 4])") > count("UNetPP()"));
}

/// File, settings, layer; circuits, qubits, angles, weights.
const HYBRID: [(&str, &[&str], &str, [usize; 4]); 7] = [
    ("qunet.hqc", &[], "outc", [1, 6, 12, 64]),
    ("qunetpp.hqc", &[], "head", [9, 6, 108, 576]),
    (
        "qunetpp.hqc",
        &["model.widths=[256, 128, 64, 32, 16]"],
        "head",
        [9, 4, 72, 144],
    ),
    ("qunext.hqc", &[], "final", [1, 4, 8, 16]),
    (
        "qunext.hqc",
        &["model.widths=[8, 16, 32, 64, 128]"],
        "final",
        [1, 3, 6, 8],
    ),
    ("qmsnet.hqc", &[], "output1", [9, 6, 108, 576]),
    ("qtransunet.hqc", &[], "head", [9, 4, 72, 144]),
];

/// Circuits, qubits, angles and weights of the last convolution of TransUNet, by its number of classes.
const CLASSES: [(usize, [usize; 4]); 2] = [(2, [18, 4, 144, 288]), (9, [81, 4, 648, 1_296])];

#[test]
fn the_last_convolution_of_each_hybrid_network_has_the_circuits_of_the_paper() {
    for (file, settings, path, wanted) in HYBRID {
        let network = networks::experiment(file, settings, Some(size(1, 256)));
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            generated(&network),
            [(path.to_owned(), wanted)],
            "{file} {settings:?}"
        );
    }
}

#[test]
fn several_classes_have_circuits_for_each() {
    for (classes, wanted) in CLASSES {
        // No data gives several classes, so the experiment of the file cannot be used.
        let text = format!(
            "import \"transunet.hqc\" as transunet\n\
             rewrite Last {{ head => qpg(blocks = 1, post = lpp) }}\n\
             train {{\n  model = transunet.TransUNet(layers = 12, classes = {classes})\n  \
             rewrite = Last\n  loss = cross_entropy\n}}\n"
        );
        let network = networks::of_text(text, size(1, 256));
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            generated(&network),
            [("head".to_owned(), wanted)],
            "{classes} classes"
        );
    }
}

/// The layers whose weight circuits generate: circuits, qubits, angles, weights.
fn generated(compiled: &Compiled<'_>) -> Vec<(String, [usize; 4])> {
    let network = compiled.network(compiled.size(1), true);
    let found = summarise(&network.unwrap_or_else(|e| panic!("{e:?}")).graph);
    let rows = found.layers.into_iter();
    rows.filter_map(|row| Some((row.path, row.generation?)))
        .map(|(path, g)| (path, [g.circuits, g.qubits, g.angles, g.weights]))
        .collect()
}

/// How a tensor starts, with bounds and deviations as squares.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// Uniform, +-sqrt of this.
    Uniform(f64),
    /// Normal, with this variance.
    Normal(f64),
    /// Normal with deviation 0.02, cut at +-2.
    Truncated,
    /// The same everywhere.
    Constant(f64),
}

use Start::{Constant, Normal, Truncated, Uniform};

/// File, model, tensor, and the rule of the original's code.
const STARTS: [(&str, &str, &str, Start); 31] = [
    ("msnet.hqc", "MSNet()", "output1.bias", Uniform(1.0 / 576.0)),
    (
        "msnet.hqc",
        "MSNet()",
        "resnet.conv1[0].weight",
        Normal(2.0 / 288.0),
    ),
    (
        "msnet.hqc",
        "MSNet()",
        "resnet.fc.weight",
        Uniform(1.0 / 2048.0),
    ),
    (
        "msnet.hqc",
        "MSNet()",
        "resnet.layer[1][0].convs[0].weight",
        Normal(2.0 / 234.0),
    ),
    (
        "msnet.hqc",
        "MSNet()",
        "resnet.layer[2][0].downsample[1].weight",
        Normal(2.0 / 512.0),
    ),
    (
        "msnet.hqc",
        "MSNet()",
        "x5_dem_1.conv.weight",
        Uniform(1.0 / 18432.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "decoder[0].conv1.weight",
        Uniform(1.0 / 9216.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "head.bias",
        Uniform(1.0 / 144.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "layer[0].attn.query.bias",
        Uniform(1.0 / 768.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "layer[11].ffn.fc1.weight",
        Uniform(6.0 / 3840.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "layer[11].ffn.fc2.bias",
        Normal(1e-12),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "patches.weight",
        Uniform(1.0 / 1024.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "positions.table",
        Constant(0.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "resnet.body[1][1].gn_proj.weight",
        Constant(1.0),
    ),
    (
        "transunet.hqc",
        "TransUNet()",
        "resnet.root.conv.weight",
        Uniform(1.0 / 147.0),
    ),
    ("unet.hqc", "UNet()", "d[4].bn2.weight", Constant(1.0)),
    ("unet.hqc", "UNet()", "up[1].bias", Uniform(1.0 / 2048.0)),
    ("unet.hqc", "UNet()", "up[1].weight", Uniform(1.0 / 2048.0)),
    (
        "unetpp.hqc",
        "Nested()",
        "x[0][0].conv2.bias",
        Uniform(1.0 / 288.0),
    ),
    (
        "unetpp.hqc",
        "UNetPP()",
        "decoder.center.conv1.weight",
        Uniform(6.0 / 4608.0),
    ),
    (
        "unetpp.hqc",
        "UNetPP()",
        "decoder.x[0][0].conv1.weight",
        Uniform(6.0 / 9216.0),
    ),
    (
        "unetpp.hqc",
        "UNetPP()",
        "encoder.features[0].bias",
        Constant(0.0),
    ),
    (
        "unetpp.hqc",
        "UNetPP()",
        "encoder.features[0].weight",
        Normal(2.0 / 576.0),
    ),
    ("unetpp.hqc", "UNetPP()", "head.bias", Constant(0.0)),
    (
        "unetpp.hqc",
        "UNetPP()",
        "head.weight",
        Uniform(6.0 / 585.0),
    ),
    ("unext.hqc", "UNeXt()", "d[5].weight", Uniform(1.0 / 144.0)),
    (
        "unext.hqc",
        "UNeXt()",
        "e[1].conv.bias",
        Uniform(1.0 / 27.0),
    ),
    (
        "unext.hqc",
        "UNeXt()",
        "t[1].mix.mlp.dwconv.dwconv.weight",
        Normal(2.0 / 9.0),
    ),
    (
        "unext.hqc",
        "UNeXt()",
        "t[1].mix.mlp.fc1.bias",
        Constant(0.0),
    ),
    ("unext.hqc", "UNeXt()", "t[1].mix.mlp.fc1.weight", Truncated),
    (
        "unext.hqc",
        "UNeXt()",
        "t[2].proj.weight",
        Normal(2.0 / 2304.0),
    ),
];

#[test]
fn weights_and_biases_start_as_in_the_originals() {
    for (file, model, name, start) in STARTS {
        let network = networks::model(file, model, "bce", size(3, 256));
        let network = network.unwrap_or_else(|e| panic!("{e}"));
        let network = network.source_network(size(3, 256), true);
        let graph = network.unwrap_or_else(|e| panic!("{e:?}")).graph;
        let id = graph
            .find(name)
            .unwrap_or_else(|| panic!("{file}: no {name}"));
        let found = graph.op::<Parameter>(id).expect("a parameter").init;
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
        let right = match (start, found) {
            (Uniform(square), Init::Uniform { low, high }) => {
                near(high * high, square) && near(low, -high)
            }
            (Normal(variance), Init::Normal { std }) => near(std * std, variance),
            (Truncated, Init::TruncatedNormal { std }) => near(std, 0.02),
            (Constant(wanted), Init::Constant { value }) => near(value, wanted),
            _ => false,
        };
        assert!(right, "{file}: {name} starts as {found:?}, not {start:?}");
    }
}
