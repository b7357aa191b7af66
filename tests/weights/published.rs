//! The names of published files lead to the paths of the networks here.

use hqcc_compiler::compile::name_lists;
use hqcc_compiler::diagnostic::render_all;
use hqcc_compiler::names::{Change, NameMap};
use hqcc_compiler::syntax::span::MemoryWorld;

fn list(name: &str) -> NameMap {
    let lists = name_lists(&MemoryWorld::default(), "std/pretrained.hqc")
        .unwrap_or_else(|errors| panic!("{}", render_all(&errors)));
    let list = lists.into_iter().find(|list| list.name == name);
    list.expect("a list of that name")
}

fn check(name: &str, cases: &[(&str, &str)]) {
    let list = list(name);
    for (foreign, path) in cases {
        let here = list.to_here(foreign);
        let here = here.as_ref().map_or("none", |here| here.key.as_str());
        assert_eq!(here, *path, "`{foreign}` of {name}");
    }
}

#[test]
fn backbones_of_torchvision_and_res2net() {
    check(
        "VGG",
        &[
            ("features.0.weight", "features.0.weight"),
            ("classifier.6.bias", "none"),
        ],
    );
    check(
        "Res2Net",
        &[
            ("conv1.0.weight", "conv1.0.weight"),
            ("layer3.5.convs.2.weight", "layer.3.5.convs.2.weight"),
            (
                "layer1.0.downsample.1.weight",
                "layer.1.0.downsample.1.weight",
            ),
            ("fc.bias", "fc.bias"),
        ],
    );
}

#[test]
fn vision_transformers_of_google() {
    let block = "Transformer/encoderblock_11";
    let attention = format!("{block}/MultiHeadDotProductAttention_1");
    let cases = [
        ("conv_root/kernel".to_owned(), "resnet.root.conv.weight"),
        ("gn_root/scale".to_owned(), "resnet.root.gn.weight"),
        (
            "block3/unit9/conv2/kernel".to_owned(),
            "resnet.body.3.9.conv2.weight",
        ),
        (
            "block3/unit1/conv_proj/kernel".to_owned(),
            "resnet.body.3.1.downsample.weight",
        ),
        (
            "block3/unit1/gn_proj/bias".to_owned(),
            "resnet.body.3.1.gn_proj.bias",
        ),
        ("embedding/kernel".to_owned(), "patches.weight"),
        (
            format!("{block}/LayerNorm_0/scale"),
            "layer.11.attention_norm.weight",
        ),
        (
            format!("{block}/LayerNorm_2/bias"),
            "layer.11.ffn_norm.bias",
        ),
        (
            format!("{attention}/query/kernel"),
            "layer.11.attn.query.weight",
        ),
        (format!("{attention}/out/bias"), "layer.11.attn.out.bias"),
        (
            format!("{block}/MlpBlock_3/Dense_1/kernel"),
            "layer.11.ffn.fc2.weight",
        ),
        (
            "Transformer/encoder_norm/scale".to_owned(),
            "encoder_norm.weight",
        ),
        ("head/kernel".to_owned(), "none"),
        ("cls".to_owned(), "none"),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(foreign, path)| (foreign.as_str(), *path))
        .collect();
    check("ViT", &cases);
    let positions = list("ViT").to_here("Transformer/posembed_input/pos_embedding");
    let positions = positions.expect("it is not dropped");
    assert_eq!(positions.key, "positions.table");
    assert_eq!(positions.change, Some(Change::Positions { skip: 1 }));
}
