//! Every model of the repository, small, with zeros for weights.

use std::collections::BTreeMap;

use hqcc_compiler::elaborate::Size;
use hqcc_compiler::onnx::{OnnxError, OnnxInfo, to_onnx};
use hqcc_compiler::ops;
use hqcc_compiler::passes::fold::fold;
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps::{self, Goal};
use hqcc_tests::networks;

use crate::wellformed;

/// The files of a network, `size` pixels high and wide: with and without its generated weights.
pub fn files(
    texts: &BTreeMap<String, String>,
    main: &str,
    size: usize,
) -> [Result<Vec<u8>, OnnxError>; 2] {
    let size = Size {
        batch: 1,
        channels: 1,
        height: size,
        width: size,
    };
    let compiled = networks::compiled(texts.clone(), main, &[], Some(size));
    let compiled = compiled.unwrap_or_else(|errors| panic!("{main}: {errors}"));
    [false, true].map(|rules| {
        let network = match rules {
            false => compiled.source_network(size, false),
            true => compiled.network(size, false),
        };
        let network = network.unwrap_or_else(|errors| panic!("{main}: {errors:?}"));
        let graph = steps::step(network.graph, Goal::Predict).expect("a prediction");
        let graph = fold(&graph).expect("a folded graph").graph;
        assert!(graph.ids().all(|id| graph.node(id).op.name() != "circuit"));
        let entry = Entry { graph };
        let zeros: BTreeMap<String, Vec<f32>> = entry
            .state()
            .into_iter()
            .map(|tensor| (tensor.name, vec![0.0; tensor.ty.elements()]))
            .collect();
        let values = |name: &str| zeros.get(name).map(Vec::as_slice);
        to_onnx(&entry.graph, ops::onnx, &values, &OnnxInfo::default())
    })
}

#[test]
fn every_model_has_a_well_formed_file() {
    let texts = networks::files();
    assert!(texts.len() >= 3, "{:?}", texts.keys());
    for name in texts.keys() {
        for file in files(&texts, name, 128) {
            let file = file.unwrap_or_else(|error| panic!("{name}: {error}"));
            let graph = wellformed::read(&file);
            let outputs: Vec<String> = graph.output.iter().map(wellformed::name).collect();
            assert_eq!(outputs, ["logits", "probability"], "{name}");
            let [_, height, width] = &wellformed::extents(&graph.output[0])[1..] else {
                panic!("{name}: an output is an image");
            };
            assert_eq!((height, width), (&Ok(128), &Ok(128)), "{name}");
        }
    }
}
