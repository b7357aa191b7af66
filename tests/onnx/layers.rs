//! The layers of the language: each one has an ONNX form, or stands here with the reason why not.

use std::collections::BTreeMap;

use hqcc_compiler::onnx::OnnxError;
use hqcc_compiler::ops::LAYERS;

use crate::models::files;
use crate::wellformed;

/// A call of each layer on `x: [1, 8, 32, 32]`, or on the tokens `t: [1, 1024, 8]`, that gives back a map of eight channels.
const CALLS: &[(&str, &str)] = &[
    ("abs", "abs(x)"),
    ("add", "add(x, x)"),
    ("add_table", "to_image(add_table(t), height = 32)"),
    (
        "avg_pool",
        "avg_pool(x, k = 3, stride = 2, padding = 1, ceil = true, count_padding = true)",
    ),
    ("batch_norm", "batch_norm(x)"),
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
    ("dropout", "dropout(x)"),
    ("gelu", "gelu(x)"),
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
    ("relu", "relu(x)"),
    ("repeat_channels", "chunk(repeat_channels(x, 2), 2, 0)"),
    ("resize", "resize(x, scale = 2, mode = bilinear)"),
    ("resize_to", "resize_to(x, pad(x, top = 1))"),
    ("scale", "scale(x, 0.5)"),
    ("sigmoid", "sigmoid(x)"),
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
    for layer in LAYERS {
        let call = CALLS.iter().find(|(name, _)| *name == layer.name);
        let (_, call) = call.unwrap_or_else(|| panic!("no case for `{}`", layer.name));
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
                    panic!("`{}`: no form of `{op}` ({node}){why}", layer.name)
                }
                Err(error) => panic!("`{}`: {error}", layer.name),
            }
        }
    }
}
