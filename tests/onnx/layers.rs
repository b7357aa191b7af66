//! The layers of the language: each one has an ONNX form, or stands here with the reason why not.

use std::collections::BTreeMap;

use hqcc_compiler::onnx::OnnxError;
use hqcc_compiler::ops::LAYERS;

use crate::models::files;
use crate::wellformed;

/// A call of a layer on `x: [1, 8, 32, 32]`, or on the tokens `t: [1, 1024, 8]`, that gives back a map of eight channels. A layer
/// without a line is called on `x` alone.
const CALLS: &[(&str, &str)] = &[
    ("add", "add(x, x)"),
    ("add_table", "to_image(add_table(t), height = 32)"),
    (
        "avg_pool",
        "avg_pool(x, k = 3, stride = 2, padding = 1, ceil = true, count_padding = true)",
    ),
    ("chunk", "chunk(x, 1, 0)"),
    ("concat", "slice(concat(x, x), from = 0, to = 8)"),
    (
        "conv",
        "conv(x, 8, k = 3, stride = 2, dilation = 2, groups = 4)",
    ),
    (
        "conv_transpose",
        "conv_transpose(x, 8, k = 3, stride = 2, padding = 1)",
    ),
    ("displace", "displace(x, axis = height, groups = 5)"),
    ("div", "div(x, abs(x))"),
    ("group_norm", "group_norm(x, groups = 4)"),
    (
        "layer_norm",
        "add(layer_norm(x), to_image(layer_norm(t), height = 32))",
    ),
    ("linear", "to_image(linear(t, 8), height = 32)"),
    (
        "matmul",
        "to_image(matmul(matmul(t, t, transpose_b = true), t), height = 32)",
    ),
    ("max_pool", "max_pool(x, 3, stride = 2, padding = 1)"),
    (
        "merge_heads",
        "to_image(merge_heads(split_heads(t, 2)), height = 32)",
    ),
    ("mul", "mul(x, x)"),
    ("pad", "pad(x, top = 1, right = 2)"),
    ("pad_to", "pad_to(x, pad(x, top = 1))"),
    ("repeat_channels", "chunk(repeat_channels(x, 2), 2, 0)"),
    ("resize", "resize(x, scale = 2, mode = bilinear)"),
    ("resize", "resize(x, pad(x, top = 1))"),
    ("scale", "scale(x, 0.5)"),
    ("slice", "slice(x, from = 0, to = 8)"),
    ("softmax", "to_image(softmax(t), height = 32)"),
    (
        "split_heads",
        "to_image(merge_heads(split_heads(t, 4)), height = 32)",
    ),
    ("sub", "sub(x, x)"),
    ("to_image", "to_image(t, height = 32)"),
    ("to_tokens", "to_image(to_tokens(x), height = 32)"),
];

#[test]
fn every_layer_has_an_onnx_form() {
    let known = |name: &str| LAYERS.iter().any(|layer| layer.name == name);
    assert!(
        CALLS.iter().all(|(name, _)| known(name)),
        "a call of no layer"
    );
    for layer in LAYERS {
        let mut calls: Vec<_> = CALLS
            .iter()
            .filter(|(name, _)| *name == layer.name)
            .map(|(_, call)| (*call).to_owned())
            .collect();
        if calls.is_empty() {
            calls.push(format!("{}(x)", layer.name));
        }
        calls.iter().for_each(|call| has_a_form(call));
    }
}

/// Writes the ONNX files of a model with this call.
fn has_a_form(call: &str) {
    let text = format!(
        "model M() {{\n  input ct: [1, H, W]\n  x = conv(ct, 8, k = 3)\n  t = to_tokens(x)\n  \
         y = {call}\n  z = conv(y, 1, k = 3)\n  output z\n}}\n"
    );
    let texts = BTreeMap::from([("m.hqc".to_owned(), text)]);
    for file in files(&texts, "m.hqc", 32) {
        match file {
            Ok(file) => {
                wellformed::read(&file);
            }
            Err(OnnxError::Unsupported { node, op, why }) => {
                panic!("`{call}`: no form of `{op}` ({node}){why}")
            }
            Err(error) => panic!("`{call}`: {error}"),
        }
    }
}
