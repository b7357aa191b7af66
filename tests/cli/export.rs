//! `hqcc export`.

use std::collections::BTreeMap;
use std::path::Path;

use hqcc_compiler::onnx::proto::ModelProto;
use prost::Message;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::{experiments, hqcc};

fn ok(folder: &Path, args: &[&str]) -> String {
    let ended = hqcc(folder, args);
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.err);
    ended.out
}

#[test]
fn a_run_leaves_as_onnx_and_safetensors_with_its_recipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    experiments::phantom(path);
    ok(path, &["run", "tiny.hqc", "--device", "cpu"]);
    let said = ok(path, &["export", "runs/tiny-1"]);
    assert_eq!(said.lines().count(), 3, "{said}");
    let out = path.join("runs/tiny-1/export");
    let recipe = std::fs::read_to_string(out.join("preprocessing.json")).expect("the recipe");
    let recipe: Value = serde_json::from_str(&recipe).expect("JSON");
    assert_eq!(recipe["input"]["shape"].to_string(), "[\"N\",1,24,24]");
    assert_eq!(recipe["answer"]["threshold"], 0.5);
    let steps = recipe["steps"].as_array().expect("steps").iter();
    let steps: Vec<&str> = steps.filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(
        steps,
        ["slices", "window", "mean", "median", "divide", "resize"]
    );

    let bytes = std::fs::read(out.join("model.safetensors")).expect("the tensors");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
    assert!(
        names.iter().all(|name| !name.contains("theta")),
        "{names:?}"
    );
    let head = tensors.tensor("head.weight").expect("the generated weight");
    assert_eq!(
        (head.shape(), head.dtype()),
        (&[1, 4, 3, 3][..], Dtype::F32)
    );

    let bytes = std::fs::read(out.join("model.onnx")).expect("the network");
    let model = ModelProto::decode(&*bytes).expect("an ONNX file");
    let graph = model.graph.expect("a graph");
    let initializers: BTreeMap<_, _> = graph
        .initializer
        .iter()
        .map(|tensor| {
            (
                tensor.name.clone().unwrap_or_default(),
                tensor.raw_data.clone().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(initializers["head.weight"], head.data());
    let embedded = &model.metadata_props[0];
    let embedded: Value =
        serde_json::from_str(embedded.value.as_deref().unwrap_or("")).expect("JSON in the file");
    assert_eq!(embedded, recipe);
}

#[test]
fn the_original_gets_its_names_and_counters() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    experiments::phantom(path);
    ok(path, &["run", "tiny.hqc", "--device", "cpu"]);
    let refused = hqcc(path, ["export", "runs/tiny-1", "--pytorch-names"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("no list of names `PyTorch`"),
        "{}",
        refused.err
    );
    let file = path.join("runs/tiny-1/experiment.hqc");
    let text = std::fs::read_to_string(&file).expect("the experiment");
    let names = "names PyTorch {\n  final => head\n  net.1 => batch_norm\n  net.0 => conv\n}\n";
    std::fs::write(&file, format!("{text}\n{names}")).expect("the folder can be written");
    ok(
        path,
        &["export", "runs/tiny-1", "--pytorch-names", "-o", "out"],
    );
    let bytes = std::fs::read(path.join("out/pytorch.safetensors")).expect("the tensors");
    let tensors = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let count = tensors
        .names()
        .into_iter()
        .find(|name| name.ends_with("num_batches_tracked"))
        .map(str::to_owned)
        .expect("a counter");
    let count = tensors.tensor(&count).expect("the counter");
    assert_eq!((count.dtype(), count.shape()), (Dtype::I64, &[][..]));
    let steps = i64::from_le_bytes(count.data().try_into().expect("8 bytes"));
    assert!(steps > 0, "{steps}");
    assert!(
        tensors.tensor("final.weight").is_ok(),
        "{:?}",
        tensors.names()
    );
    assert!(!path.join("out/model.onnx").exists());
}
