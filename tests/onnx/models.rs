//! Every model of the repository, small, with zeros for weights.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hqcc_compiler::elaborate::{self, Size};
use hqcc_compiler::onnx::{OnnxError, OnnxInfo, to_onnx};
use hqcc_compiler::ops;
use hqcc_compiler::passes::fold::fold;
use hqcc_compiler::program::Entry;
use hqcc_compiler::steps;
use hqcc_compiler::syntax::span::{MemoryWorld, Sources};

use crate::wellformed;

/// The files of a network, `size` pixels high and wide: with and without its generated weights.
pub fn files(world: &MemoryWorld, main: &str, size: usize) -> [Result<Vec<u8>, OnnxError>; 2] {
    let mut sources = Sources::default();
    let settings = ["data.root=\"none\"".to_owned()];
    let has_root = world.files[main].contains("root = ");
    let settings = if has_root { &settings[..] } else { &[] };
    let project = elaborate::load(&mut sources, world, main, settings);
    let project = project.unwrap_or_else(|errors| panic!("{main}: {errors:?}"));
    let study = elaborate::study(&sources, world, &project);
    let study = study.unwrap_or_else(|errors| panic!("{main}: {errors:?}"));
    let size = Size {
        batch: 1,
        channels: 1,
        height: size,
        width: size,
    };
    [false, true].map(|rules| {
        let network = elaborate::network(&sources, world, &project, &study, size, false);
        let mut network = network.unwrap_or_else(|errors| panic!("{main}: {errors:?}"));
        if rules {
            elaborate::apply(&mut network).unwrap_or_else(|errors| panic!("{main}: {errors:?}"));
        }
        let graph = steps::predict(network.graph).expect("a prediction");
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

/// All files under `models/`, by name.
fn repository() -> MemoryWorld {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut world = MemoryWorld::default();
    for entry in fs::read_dir(folder).expect("the models") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "hqc") {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).expect("its text");
            world.files.insert(name, text);
        }
    }
    world
}

#[test]
fn every_model_has_a_well_formed_file() {
    let world = repository();
    assert!(world.files.len() >= 3, "{:?}", world.files.keys());
    for name in world.files.keys() {
        for file in files(&world, name, 128) {
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
