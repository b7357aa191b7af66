//! From text to graph: the models of the repository, paths, overrides, limits.

use std::collections::BTreeMap;

use hqcc_compiler::Compiled;
use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::elaborate::{Network, Size};
use hqcc_compiler::experiment::{Cases, Keep, Kits19, Loss, Optimiser, Source};
use hqcc_compiler::graph::{Parameter, ParameterKind};
use hqcc_compiler::measures::named;
use hqcc_compiler::ops::{DROPOUT_KEY, Dropout};
use hqcc_tests::networks;
use proptest::prelude::*;

const UNET: &str = include_str!("../../models/unet.hqc");
const QUNET: &str = include_str!("../../models/qunet.hqc");
const QUICKSTART: &str = include_str!("../../models/quickstart.hqc");
const DESIGN: &str = include_str!("../syntax/sources/qunet.hqc");

fn attempt(text: &str, settings: &[&str]) -> Result<Compiled<'static>, String> {
    let files = [("main.hqc", text), ("unet.hqc", UNET)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    networks::compiled(BTreeMap::from(files), "main.hqc", settings, None)
}

fn sized(compiled: &Compiled<'_>, size: Size) -> Result<Network, String> {
    let made = compiled.source_network(size, true);
    made.map_err(|errors| render_all(&errors))
}

fn built(text: &str, settings: &[&str]) -> Network {
    let compiled = attempt(text, settings).unwrap_or_else(|e| panic!("{e}"));
    sized(&compiled, compiled.size(2)).unwrap_or_else(|e| panic!("{e}"))
}

fn ruled(text: &str, settings: &[&str]) -> Network {
    let compiled = attempt(text, settings).unwrap_or_else(|e| panic!("{e}"));
    let network = compiled.network(compiled.size(2), true);
    network.unwrap_or_else(|e| panic!("{}", render_all(&e)))
}

fn refused(text: &str, settings: &[&str]) -> String {
    match attempt(text, settings) {
        Err(error) => error,
        Ok(_) => panic!("this should be refused"),
    }
}

fn parameters(network: &Network) -> usize {
    let graph = &network.graph;
    let trained = graph.ids().filter_map(|id| {
        let parameter = graph.op::<Parameter>(id)?;
        (parameter.kind == ParameterKind::Trained).then(|| parameter.ty.elements())
    });
    trained.sum()
}

#[test]
fn unet_has_the_parameters_of_the_original() {
    assert_eq!(parameters(&built(UNET, &[])), 31_036_481);
    assert_eq!(
        parameters(&built(UNET, &["model.bilinear=true"])),
        17_261_825
    );
    assert_eq!(
        parameters(&built(UNET, &["model.classes=2"])),
        31_036_481 + 65
    );
    let statistics = |network: &Network| {
        let graph = &network.graph;
        let found = graph.ids().filter_map(|id| graph.op::<Parameter>(id));
        let found = found.filter(|p| p.kind == ParameterKind::Statistic);
        found.map(|p| p.ty.elements()).sum::<usize>()
    };
    // PyTorch counts one more number per normalisation: the batches seen.
    assert_eq!(statistics(&built(UNET, &[])), 11_794 - 18);
}

#[test]
fn unet_takes_odd_sizes_and_gives_them_back() {
    let tried = attempt(UNET, &[]).unwrap_or_else(|e| panic!("{e}"));
    for bilinear in ["model.bilinear=false", "model.bilinear=true"] {
        let tried = attempt(UNET, &[bilinear]).unwrap_or_else(|e| panic!("{e}"));
        let size = Size {
            batch: 1,
            channels: 3,
            height: 101,
            width: 71,
        };
        let network = sized(&tried, size).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(network.graph.ty(network.output).shape, [1, 1, 101, 71]);
    }
    let small = Size {
        height: 15,
        ..Size::default()
    };
    assert!(sized(&tried, small).unwrap_err().contains("input::where"));
}

#[test]
fn paths_are_stable_and_readable() {
    let network = built(DESIGN, &["data.root=x"]);
    let paths: Vec<_> = network
        .layers
        .iter()
        .map(|layer| layer.path.as_str())
        .collect();
    insta::assert_snapshot!(paths.join("\n"));
    assert!(network.graph.find("e[2].conv1.weight").is_some());
    assert!(network.graph.find("up[3].weight").is_some());
}

#[test]
fn rules_reach_the_weights_they_name() {
    let before = parameters(&built(QUNET, &["data.root=x"]));
    let network = ruled(QUNET, &["data.root=x"]);
    let theta = network.graph.find("outc.weight.theta").expect("angles");
    assert_eq!(network.graph.ty(theta).shape, [1, 1, 2, 6]);
    // 64 weights go; 12 angles come, and 8 numbers of `lpp`.
    assert_eq!(parameters(&network), before - 64 + 12 + 8);
}

#[test]
fn the_example_with_a_rewrite_elaborates() {
    let text = "
        model M(width = 8) {
          input ct: [1, H, W]
          encoder = conv(ct, width)
          @freeze
          frozen = batch_norm(conv(encoder, width))
          head = relu(conv(frozen, 1))
          output head
        }
        rewrite Tuned { freeze encoder.**   head => qpg(blocks = 2, post = sst) }
        train { model = M(), rewrite = Tuned }";
    let network = ruled(text, &[]);
    assert!(network.graph.find("head.conv.weight.theta").is_some());
    let kind = |name: &str| {
        let id = network.graph.find(name).expect(name);
        network.graph.op::<Parameter>(id).map(|p| p.kind)
    };
    assert_eq!(kind("encoder.weight"), Some(ParameterKind::Frozen));
    assert_eq!(kind("frozen.conv.weight"), Some(ParameterKind::Frozen));
    assert_eq!(kind("head.conv.bias"), Some(ParameterKind::Trained));
}

#[test]
fn dropout_is_there_in_training_alone() {
    let text = "
        model M(p = 0.1) {
          input ct: [1, H, W]
          a = dropout(conv(ct, 4), p)
          b = dropout(conv(a, 4))
          head = conv(dropout(b, 0.0), 1)
          output head
        }";
    let tried = attempt(text, &[]).unwrap_or_else(|e| panic!("{e}"));
    let streams = |training: bool| {
        let made = tried.source_network(Size::default(), training);
        let graph = made.unwrap_or_else(|e| panic!("{}", render_all(&e))).graph;
        let ops = graph.ids().filter_map(|id| graph.op::<Dropout>(id));
        let streams: Vec<_> = ops.map(|op| op.stream).collect();
        assert_eq!(graph.find(DROPOUT_KEY).is_some(), training);
        streams
    };
    let found = streams(true);
    assert!(found.len() == 2 && found[0] != found[1], "{found:?}");
    assert!(streams(false).is_empty());
    let shown = refused(text, &["model.p=1.0"]);
    assert!(
        shown.contains("`p` must lie between 0 and 1, 1 excluded"),
        "{shown}"
    );
}

#[test]
fn lists_of_tensors_and_numbers_add_up() {
    let text = "
        let widths = [2] + [3, 4]
        model M {
          input ct: [1, H, W]
          all = []
          repeat i in 0 to len(widths) - 1 {
            x[i] = conv(ct, widths[i])
            all = [x[i]] + all
          }
          wide = concat(all, ct)
          head = conv(wide, channels(all[0]) - 3)
          output head
        }";
    let network = built(text, &[]);
    let wide = network.layers.iter().find(|layer| layer.path == "wide");
    let wide = wide.expect("a layer").inputs.iter();
    let names: Vec<_> = wide.map(|id| network.graph.name(*id)).collect();
    assert_eq!(names, ["x[2]", "x[1]", "x[0]", "ct"]);
    assert!(refused(&text.replace("+ all", "+ 1"), &[]).contains("value::kind"));
}

#[test]
fn overlapping_pools_have_the_sizes_of_the_originals() {
    let text = "
        model M {
          input ct: [1, H, W]
          a = max_pool(ct, 3, stride = 2)
          b = max_pool(ct, 3, stride = 2, padding = 1)
          c = avg_pool(a, 2, ceil = true)
          head = conv(pad(a, bottom = 1, right = 1), 1)
          output head
        }";
    let size = Size {
        batch: 1,
        channels: 1,
        height: 128,
        width: 128,
    };
    let tried = attempt(text, &[]).unwrap_or_else(|e| panic!("{e}"));
    let network = sized(&tried, size).unwrap_or_else(|e| panic!("{e}"));
    let sizes = network
        .layers
        .iter()
        .map(|l| network.graph.ty(l.output).shape[2]);
    assert_eq!(sizes.collect::<Vec<_>>(), [63, 64, 32, 64, 64]);
}

#[test]
fn maps_are_cut_moved_and_measured() {
    let text = "
        model M {
          input ct: [1, H, W]
          three = repeat_channels(ct, 3)
          a = conv(three, 2 * channels(three) + 1, stride = 2)
          last = chunk(a, 5, 3)
          moved = displace(a, axis = width)
          middle = slice(moved, 2, 4)
          mean = avg_pool(middle, 3, stride = 2, padding = 1, count_padding = false)
          fine = resize(mean, a, align_corners = true)
          fixed = resize(mean, height = height(ct), width = 2 * width(a))
          same = resize(fixed, ct)
          tokens = to_tokens(fixed)
          head = conv(fixed, channels(tokens) - channels(last), k = 1)
          output head
        }";
    let tried = attempt(text, &[]).unwrap_or_else(|e| panic!("{e}"));
    let size = Size {
        batch: 1,
        channels: 1,
        height: 33,
        width: 40,
    };
    let network = sized(&tried, size).unwrap_or_else(|e| panic!("{e}"));
    let shape = |path: &str| {
        let layer = network.layers.iter().find(|layer| layer.path == path);
        let layer = layer.unwrap_or_else(|| panic!("no layer {path}"));
        network.graph.ty(layer.output).shape[1..].to_vec()
    };
    assert_eq!(shape("three"), [3, 33, 40]);
    assert_eq!(shape("a"), [7, 17, 20]);
    // ceil(7 / 5) = 2 channels to a part: 2, 2, 2, 1.
    assert_eq!(shape("last"), [1, 17, 20]);
    assert_eq!(shape("moved"), [7, 17, 20]);
    assert_eq!(shape("middle"), [2, 17, 20]);
    assert_eq!(shape("mean"), [2, 9, 10]);
    assert_eq!(shape("fine"), [2, 17, 20]);
    assert_eq!(shape("fixed"), [2, 33, 40]);
    assert_eq!(shape("head"), [1, 33, 40]);
    // A resampling to the size that a map has is the map.
    let output = |path: &str| {
        network
            .layers
            .iter()
            .find(|l| l.path == path)
            .map(|l| l.output)
    };
    assert_eq!(output("same"), output("fixed"));
}

#[test]
fn sections_resolve_with_their_origins() {
    let settings = [
        "train.epochs=5",
        "data.root=../kits",
        "train.optim.lr=1e-4",
        "model.base=16",
    ];
    let tried = attempt(QUNET, &settings).unwrap_or_else(|e| panic!("{e}"));
    let study = tried.study();
    assert_eq!(study.train.epochs, 5);
    assert_eq!(study.train.loss, [(1.0, Loss::Bce), (1.0, Loss::Dice)]);
    assert_eq!(
        study.train.keep,
        Keep::Best(named("dsc").expect("a measure"))
    );
    let data = study.data.as_ref().expect("data");
    let root = Some("../kits".into());
    assert_eq!(data.source, Source::Kits19(Kits19 { root }));
    assert_eq!(data.train, Cases::from(0..180));
    let Optimiser::Adam {
        lr, weight_decay, ..
    } = study.train.optim
    else {
        panic!("adam")
    };
    assert_eq!((lr, weight_decay), (1e-4, 5e-4));
    assert!(tried.warnings().is_empty());
    let (text, copies) = tried.resolved();
    insta::assert_snapshot!(text);
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].name, "unet.hqc");
}

#[test]
fn what_is_resolved_runs_again_to_the_same() {
    for (text, settings) in [
        (
            QUNET,
            &["data.root=a/b", "model.base=8", "train.loss=2 * bce"][..],
        ),
        (QUICKSTART, &["model.base=4"]),
        (
            "let width = 4\nmodel M(w = width) { input x: [1, H, W] y = conv(conv(x, w), 1) output y }",
            &["width=6"],
        ),
    ] {
        let first = attempt(text, settings).unwrap_or_else(|e| panic!("{e}"));
        let (text, _) = first.resolved();
        let second = attempt(&text, &[]).unwrap_or_else(|e| panic!("{text}\n{e}"));
        assert_eq!(first.study().train, second.study().train);
        assert_eq!(first.study().data, second.study().data);
        let sizes = [&first, &second].map(|tried| {
            let made = sized(tried, Size::default()).unwrap_or_else(|e| panic!("{e}"));
            parameters(&made)
        });
        assert_eq!(sizes[0], sizes[1]);
    }
}

#[test]
fn unset_variables_are_warned_about() {
    let tried = attempt(QUNET, &[]).unwrap_or_else(|e| panic!("{e}"));
    let source = tried.study().data.as_ref().map(|data| &data.source);
    assert_eq!(source, Some(&Source::Kits19(Kits19 { root: None })));
    assert_eq!(tried.warnings().len(), 1);
}

#[test]
fn independent_errors_of_a_network_are_all_reported() {
    let text = "model M { input x: [1, H, W]
        a = conv(x, 8, kk = 3)
        b = conv(x, 8, stride = fast)
        c = cnov(x, 8)
        d = conv(a, 8)
        output d }";
    let shown = refused(text, &[]);
    assert_eq!(shown.matches("error[").count(), 3, "{shown}");
}

#[test]
fn runaway_texts_are_stopped() {
    let model = |body: &str| format!("model M {{ input x: [1, H, W] {body} output x }}");
    let doubling: String = (0..60)
        .map(|i| {
            let next = match i {
                0 => "return relu(x)".to_owned(),
                i => format!("return b{}(b{}(x))", i - 1, i - 1),
            };
            format!("block b{i}(x) {{ {next} }}\n")
        })
        .collect();
    let chain: String = (1..500)
        .map(|i| format!("block c{i}(x) {{ return c{}(x) }}\n", i - 1))
        .collect();
    let lists: String = (1..40)
        .map(|i| format!("let a{i} = [a{0}, a{0}, a{0}, a{0}]\n", i - 1))
        .collect();
    let cases = [
        model("repeat i in 0 to 1000000000 { y = relu(x) }"),
        model("repeat i in 0 to 9999 { repeat j in 0 to 9999 { k = i + j } }"),
        model("repeat i in 0 to 9999 { repeat j in 0 to 9999 { y = relu(x) } }"),
        model("y = conv(x, 1048576) z = conv(y, 1048576)"),
        model(
            "y = resize(resize(resize(resize(x, scale = 64), scale = 64), scale = 64), scale = 64)",
        ),
        model("k = 2^62 * 8"),
        model("k = 9^9^9"),
        format!("block f(x) {{ return f(x) }} {}", model("y = f(x)")),
        format!("{doubling} {}", model("y = b59(x)")),
        format!(
            "block c0(x) {{ return x }} {chain} {}",
            model("y = c499(x)")
        ),
        format!("let a0 = [1]\n{lists}{}", model("")),
    ];
    for text in cases {
        let shown = refused(&text, &[]);
        assert!(
            shown.contains("limit::") || shown.contains("value::"),
            "{shown}"
        );
    }
}

/// Pieces that turn sound texts into nearly sound ones.
const PIECES: [&str; 16] = [
    "(", ")", "{", "}", "[", "]", "..", " to ", " = ", ", ", "@qpg(", "\"", "# ", "-1", "99999999",
    "conv(",
];

#[test]
fn work_that_is_no_step_is_counted() {
    let list: Vec<_> = (0..5000).map(|at| at.to_string()).collect();
    let text = format!(
        "let l = [{}]\nmodel M() {{\n  input ct: [1, H, W]\n  repeat i in 1 to 10000 {{\n    \
         repeat j in 1 to 10000 {{ a = len(l + l) }}\n  }}\n  output conv(ct, 1)\n}}\n",
        list.join(", ")
    );
    assert!(refused(&text, &[]).contains("limit::steps"));
}

#[test]
fn the_search_for_a_size_ends() {
    let text = "model M() {\n  repeat i in 1 to 10000 { a = i + i * i }\n  \
                input ct: [1, H, W] where H == 255, W == 255\n  output conv(ct, 1)\n}\n\
                data d = phantom { size = [256, 256] }\ntrain { model = M() }\n";
    let texts = BTreeMap::from([("main.hqc".to_owned(), text.to_owned())]);
    let size = Size {
        height: 255,
        width: 255,
        ..Size::default()
    };
    let compiled = networks::compiled(texts, "main.hqc", &[], Some(size));
    let found = compiled
        .unwrap_or_else(|e| panic!("{e}"))
        .fitting(Size::default());
    let reason = found.expect_err("no size from 256 on is 255");
    assert!(reason.contains("`H == 255` does not hold"), "{reason}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let text = "\u{feff}model M() {\n  input ct: [1, H, W]\n  output conv(ct, 1)\n}\n";
    assert_eq!(built(text, &[]).layers.len(), 1);
}

/// Deletes, doubles, moves and inserts pieces of a text.
fn mutated(text: &str, edits: &[(u8, usize, usize, usize)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for &(kind, at, length, other) in edits {
        let at = at % (bytes.len() + 1);
        let end = (at + length % 40).min(bytes.len());
        let other = other % (bytes.len() + 1);
        let piece = match kind % 4 {
            0 | 1 => bytes[at..end].to_vec(),
            2 => PIECES[length % PIECES.len()].as_bytes().to_vec(),
            _ => text.as_bytes()[..length % text.len().max(1)]
                .iter()
                .rev()
                .take(20)
                .rev()
                .copied()
                .collect(),
        };
        if kind % 4 == 0 {
            bytes.drain(at..end);
        }
        let other = other.min(bytes.len());
        if kind % 8 != 0 {
            bytes.splice(other..other, piece);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn broken_models_end_in_errors(
        which in 0..4usize,
        edits in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>(), any::<usize>()), 1..6),
    ) {
        let text = mutated([UNET, QUNET, QUICKSTART, DESIGN][which], &edits);
        if let Ok(tried) = attempt(&text, &[]) {
            let size = Size { batch: 1, channels: 1, height: 64, width: 48 };
            if let Err(errors) = tried.network(size, true) {
                prop_assert!(!errors.is_empty());
            }
        }
    }
}
